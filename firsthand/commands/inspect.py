"""What is in a dataset, a checkpoint or a run: whatever lies at the path says which it is."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from episodes.errors import UserError
from episodes.inspect import contact_sheet, summarise
from episodes.store import EpisodeFile
from firsthand import checkpoints, corpora
from firsthand.console import say, table
from firsthand.run import CONFIG, VERSIONS, flatten
from firsthand.schema import closest
from firsthand.settings import Schema


@dataclass(frozen=True)
class InspectConfig:
    """path: a file of episodes, a folder of such files, a policy, or a run.

    sheet: where to put a contact sheet of the episodes (PNG), if one is wanted.
    """

    path: Path
    sheet: Path | None = None


SCHEMA = Schema(InspectConfig)


def execute(config: InspectConfig) -> None:
    """Find out what is there and print it.

    Raises:
        UserError: nothing is there, or nothing that can be read.
    """
    path = config.path
    if not path.exists():
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        near = closest(path.name, siblings)
        hint = f"; did you mean {path.parent / near}?" if near else ""
        raise UserError(f"there is nothing at {path}{hint}")
    if (path / VERSIONS).is_file():
        inspect_run(path)
    elif path.is_dir() and _is_checkpoint(path):
        inspect_checkpoint(path)
    else:
        inspect_dataset(path, config.sheet)


def _is_checkpoint(path: Path) -> bool:
    names = ("config.json", checkpoints.WEIGHTS, "policy", "training.json")
    return any((path / name).exists() for name in names)


def inspect_run(path: Path) -> None:
    """The settings a run was started with, how often it was, and its newest figures."""
    try:
        starts = json.loads((path / VERSIONS).read_text())
        first, last = starts[0], starts[-1]
        words = " ".join(last["overrides"]) or "no settings of its own"
        say(f"{path}: firsthand {first['command'].replace('_', ' ')} with {words}")
        say(f"started {first['started']}, {len(starts)} time(s), on {last['cpu']}")
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path / VERSIONS} is damaged ({error})") from error
    figures = newest_figures(path)
    if figures:
        rows = [(tag, f"{value:.5g}", step) for tag, (value, step) in sorted(figures.items())]
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
    if any(item.suffix in corpora.SUFFIXES for item in path.iterdir()):
        inspect_dataset(path)


def newest_figures(path: Path) -> dict[str, tuple[float, int]]:
    """The last value of every figure in the run's JSON lines that carry a step, and that step."""
    figures: dict[str, tuple[float, int]] = {}
    for file in sorted(path.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue  # the half line of a run that was killed
            if not isinstance(row, dict) or "step" not in row:
                continue
            for tag, value in row.items():
                if tag != "step" and isinstance(value, int | float):
                    figures[tag] = (float(value), int(row["step"]))
    return figures


def inspect_checkpoint(path: Path) -> None:
    """The configuration, the number of parameters by part, and the statistics of a policy."""
    policy = checkpoints.load_policy(str(path))
    rows = [(key, value) for key, value in flatten(asdict(policy.config)).items()]
    table(f"policy at {checkpoints.locate(str(path))}", ("setting", "value"), rows)
    parts: dict[str, int] = {}
    for name, parameter in policy.named_parameters():
        part = name.partition(".")[0]
        parts[part] = parts.get(part, 0) + parameter.numel()
    rows = [*sorted(parts.items(), key=lambda item: -item[1]), ("all", sum(parts.values()))]
    table("parameters", ("part", "number"), [(name, f"{count:,}") for name, count in rows])
    statistics = policy.statistics
    say(f"statistics over {statistics.frames:,} frames of demonstrations")
    if statistics.frames:
        for name in ("state_mean", "state_std", "action_mean", "action_std"):
            say(f"  {name:12}" + " ".join(f"{v:8.3f}" for v in getattr(statistics, name)))


def inspect_dataset(path: Path, sheet: Path | None = None) -> None:
    """What recordings a file or a folder holds; every byte of every file is checked."""
    if path.is_file() and path.suffix not in corpora.SUFFIXES:
        raise UserError(f"{path} is no file of episodes ({' or '.join(corpora.SUFFIXES)})")
    for store in corpora.find_stores(path):
        with EpisodeFile(store) as file:
            file.verify()
            table("episodes, every byte checked", ("", ""), summarise(file).rows())
            if sheet is not None:
                say(f"pictures: {contact_sheet(file, sheet)}")
