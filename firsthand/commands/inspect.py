"""What is in a dataset, a checkpoint or a run: whatever lies at the path says which it is."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firsthand.build import checkpoints, recognition
from firsthand.cli.console import say, table
from firsthand.cli.run_dir import CONFIG, VERSIONS
from firsthand.cli.schema import flatten
from firsthand.cli.settings import Schema
from firsthand.commands.evaluate import show_results
from firsthand.common import uri
from firsthand.common.errors import UserError
from firsthand.envs.evaluation.summary import ChainResults, TaskResults
from firsthand.episodes.convert.report import ConversionReport
from firsthand.episodes.corpus.corpus import SUFFIXES, Corpus
from firsthand.episodes.corpus.inspect import contact_sheet, summarise
from firsthand.policy.checkpoints.aliases import today_tags
from firsthand.policy.checkpoints.model_path import near

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class InspectConfig:
    """What is looked into."""

    path: str
    """A corpus (a folder or URL), a file of episodes, a folder of such files, a model, a run, a
    folder of runs, or a dataset of others."""
    sheet: Path | None = None
    """Where to put a contact sheet of the episodes (PNG), if one is wanted."""


SCHEMA = Schema(InspectConfig)
_NAMED = 20  # lost items that are printed


def execute(config: InspectConfig) -> None:
    """Find out what is there and print it.

    Raises:
        UserError: nothing is there, or nothing that can be read.
    """
    if uri.is_remote(config.path):
        inspect_dataset(config.path, config.sheet)
        return
    path = uri.local(config.path)
    if not path.exists():
        raise UserError(f"there is nothing at {path}{near(path)}")
    if (path / VERSIONS).is_file():
        inspect_run(path, config.sheet)
        return
    if path.is_dir() and _is_checkpoint(path):
        inspect_checkpoint(path)
    elif path.is_dir() and not _holds_episodes(path):
        inspect_folder(path)
    elif path.is_file() and path.suffix not in SUFFIXES:
        raise UserError(f"{path} is no file of episodes ({' or '.join(SUFFIXES)})")
    else:
        inspect_dataset(path, config.sheet)
        return
    if config.sheet is not None:
        raise UserError(f"{path} holds no episodes of ours: there is nothing for sheet= to show")


def _holds_episodes(folder: Path) -> bool:
    corpus = folder / "corpus.json"
    return corpus.exists() or any(item.suffix.lower() in SUFFIXES for item in folder.iterdir())


def inspect_folder(path: Path) -> None:
    """The runs in a folder, or a dataset of others.

    Raises:
        UserError: it holds neither.
    """
    if runs := recognition.runs_below(path):
        recognition.say_runs(path, runs)
    elif found := recognition.dataset_in(path):
        recognition.say_dataset(path, *found)
    else:
        raise UserError(
            f"{path} holds no episodes ({' or '.join(SUFFIXES)}), no model, no run, no videos, "
            "and no dataset that is known by its files"
        )


def _is_checkpoint(path: Path) -> bool:
    names = ("config.json", "model.safetensors", "policy", "training.json")
    return any((path / name).exists() for name in names)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def inspect_run(path: Path, sheet: Path | None = None) -> None:
    """The settings a run was started with, how often it was, its results and its newest metrics.

    Raises:
        UserError: it is damaged, or has no episodes to show on a sheet.
    """
    try:
        starts = json.loads((path / VERSIONS).read_text())
        first, last = starts[0], starts[-1]
        words = " ".join(last["overrides"]) or "no settings of its own"
        say(f"{path}: firsthand {first['command'].replace('_', ' ')} with {words}")
        say(f"started {first['started']}, {_times(len(starts))}, on {last['cpu']}")
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path / VERSIONS} is damaged ({error})") from error
    for kind, results in (("tasks", TaskResults), ("chains", ChainResults)):
        if records := _records(path / f"{kind}.jsonl"):
            done = (path / f"{kind}.summary.json").exists()
            say(f"{kind}: {len(records)} trials{'' if done else ' so far'}")
            show_results(results(records))
    metrics = newest_metrics(path)
    if metrics:
        rows = [(tag, f"{value:.5g}", step) for tag, (value, step) in sorted(metrics.items())]
        table("newest figures", ("figure", "value", "step"), rows)
    steps = sorted(p.name for p in (path / "checkpoints").glob("[0-9]*") if p.is_dir())
    links = {
        name: (path / "checkpoints" / name).resolve().name
        for name in ("best", "last")
        if (path / "checkpoints" / name).exists()
    }
    if steps:
        named = ", ".join(f"{name} is {step}" for name, step in links.items())
        say(f"checkpoints: {', '.join(steps)} ({named})")
    say(f"files: {', '.join(sorted(p.name for p in path.iterdir() if p.name[0] != '.'))}")
    say(f"settings: {path / CONFIG}")
    episodes = next(
        (
            folder
            for folder in (path, path / "corpus")
            if folder.is_dir() and _holds_episodes(folder)
        ),
        None,
    )
    if episodes is not None:
        inspect_dataset(episodes, sheet)
    elif sheet is not None:
        raise UserError(f"{path} holds no episodes: there is nothing for sheet= to show")


def _records(path: Path) -> tuple[dict[str, Any], ...]:
    """The trials of an evaluation, of one that was tried again the last try; the half line of one
    that was killed is left out."""
    records = {}
    for line in path.read_text().splitlines() if path.is_file() else ():
        with contextlib.suppress(ValueError, LookupError, TypeError):
            record = json.loads(line)
            records[record["index"]] = record
    return tuple(records.values())


def newest_metrics(path: Path) -> dict[str, tuple[float, int]]:
    """The last value of every metric in the run's JSON lines that carry a step, and that step."""
    metrics: dict[str, tuple[float, int]] = {}
    for file in sorted(path.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue  # the half line of a run that was killed
            if not isinstance(row, dict) or "step" not in row:
                continue
            for tag, value in today_tags(row).items():
                if tag != "step" and isinstance(value, int | float):
                    metrics[tag] = (float(value), int(row["step"]))
    return metrics


def inspect_checkpoint(path: Path) -> None:
    """The configuration, the number of parameters by part, and the statistics of a policy."""
    folder = Path(checkpoints.locate(str(path)))
    if (folder / "vocabulary.json").exists():
        inspect_grounding(folder)
        return
    policy = checkpoints.load_policy(str(path))
    rows = [(key, _plain(value)) for key, value in flatten(asdict(policy.config)).items()]
    table(f"policy at {folder}", ("", ""), rows)
    _say_parameters(policy)
    statistics = policy.statistics
    say(f"statistics over {statistics.frames:,} frames of demonstrations")
    if statistics.frames:
        for name in ("state_mean", "state_std", "action_mean", "action_std"):
            say(f"  {name:12}" + " ".join(f"{v:8.3f}" for v in getattr(statistics, name)))


def _plain(value: Any) -> Any:
    """A setting as one reads it: what a list of cameras holds, not how Python writes it."""
    if isinstance(value, list | tuple):
        return ", ".join(str(_plain(item)) for item in value)
    return " ".join(map(str, value.values())) if isinstance(value, Mapping) else value


def inspect_grounding(folder: Path) -> None:
    """The configuration of a word-grounding model, its parameters and its words."""
    from firsthand.grounding.model import GroundingModel

    try:
        model = GroundingModel.from_pretrained(folder)
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from error
    rows = [(key, _plain(value)) for key, value in flatten(asdict(model.config)).items()]
    table(f"word-grounding model at {folder}", ("", ""), rows)
    _say_parameters(model)
    words = [] if model.vocabulary is None else list(model.vocabulary.words[4:])
    say(f"{len(words):,} words: {', '.join(words[:_NAMED])}{', …' if words[_NAMED:] else ''}")


def _say_parameters(model: "nn.Module") -> None:
    parts: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        part = name.partition(".")[0]
        parts[part] = parts.get(part, 0) + parameter.numel()
    rows = [*sorted(parts.items(), key=lambda item: -item[1]), ("all", sum(parts.values()))]
    table("parameters", ("part", "number"), [(name, f"{count:,}") for name, count in rows])


def inspect_dataset(path: str | Path, sheet: Path | None = None) -> None:
    """What recordings a corpus, a file or a folder of files holds; every byte is checked.

    Raises:
        UserError: there is none, or something is damaged: which files, recordings and bytes.
    """
    corpus = Corpus.open(path)
    problems = corpus.problems()
    checked = f"{len(problems)} of {len(corpus.shards)} files damaged"
    checked = checked if problems else "every byte checked"
    table(f"episodes, {checked}", ("", ""), summarise(corpus).rows())
    if corpus.manifest is not None:
        _say_statistics(corpus.manifest.statistics)
        _say_report(uri.join(path, "report.json"))
    if problems[1:]:
        for problem in problems:
            say(problem)
        raise UserError(f"{corpus.name}: {checked}, the first: {problems[0]}")
    if problems:
        raise UserError(problems[0])
    if sheet is not None:
        say(f"pictures: {contact_sheet(corpus, sheet)}")


def _say_statistics(statistics: Mapping[str, Any]) -> None:
    parts = ("mean", "std", "min", "max")
    rows = [
        (name, f"{values['count']:,}", *(_range(values[part]) for part in parts))
        for name, values in statistics.items()
    ]
    if rows:
        table("numbers", ("", "count", "mean", "deviation", "least", "most"), rows)


def _range(values: Any) -> str:
    """A few numbers as they are, of many the least and the greatest."""
    flat = np.ravel(values).tolist()
    if len(flat) <= 3:
        return " ".join(f"{value:.3g}" for value in flat)
    return f"{min(flat):.3g} to {max(flat):.3g}"


def _say_report(path: str) -> None:
    """What conversion lost, and what it found odd."""
    data = uri.read(path)
    if data is None:
        return
    try:
        report = ConversionReport.from_json(data)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error})") from None
    say(f"lost in conversion: {len(report.lost)} of {report.items} items")
    lines = report.lines()
    for line in lines[:_NAMED]:
        say(f"  {line}")
    if lines[_NAMED:]:
        say(f"  and {len(lines) - _NAMED} more in {path}")
