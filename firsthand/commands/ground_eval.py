"""Measuring what word-grounding models know."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from firsthand.cli.console import say, spinner
from firsthand.cli.run_dir import RUNS, Run
from firsthand.cli.settings import Schema
from firsthand.common.errors import UserError
from firsthand.common.progress import ProgressBar, progress
from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.studies import STUDY, at, read_studies


@dataclass(frozen=True, kw_only=True)
class GroundEvalCommand(GroundEvalConfig):
    """What is measured, and of which models."""

    model: str | tuple[str, ...] | None = None
    """A run of `firsthand ground` or several, saved models or hub ids; None: the newest run."""
    root: Path | None = None
    """The corpus with the test sets; None: the one that was learned from."""


SCHEMA = Schema(GroundEvalCommand)


def execute(config: GroundEvalCommand, run: Run) -> None:
    """Measure; leave figures, the report, pictures and everything in TensorBoard."""
    from firsthand.grounding.evaluation.evaluate import evaluate
    from firsthand.grounding.report.publish import publish

    named = config.model or newest()
    studies = read_studies([named] if isinstance(named, str) else named, config.checkpoint)
    if config.root is not None:
        studies = [at(config.root, study) for study in studies]
    recipe = GroundEvalConfig(**{f.name: getattr(config, f.name) for f in fields(GroundEvalConfig)})
    with notices() as notice:
        evaluation = evaluate(studies, recipe, notice)
    with spinner("pictures"):
        page = publish(evaluation, run.path)
    say(page)
    say(f"report, pictures, figures: {run.path}")


def newest() -> str:
    """The run of `firsthand ground` that was finished last.

    Raises:
        UserError: there is none.
    """
    studies = list((RUNS / "ground").glob(f"*/{STUDY}"))
    if not studies:
        raise UserError(
            f"{RUNS / 'ground'} holds no run: start with `firsthand ground`, or name one with "
            "model=RUN"
        )
    return str(max(studies, key=lambda path: path.stat().st_mtime).parent)


@contextmanager
def notices() -> Iterator[Callable[[str, int, int], None]]:
    """Says who looks at pictures and how far they are."""
    with progress() as begin:
        bars: dict[str, ProgressBar] = {}

        def notice(name: str, done: int, total: int) -> None:
            bars[name] = bars.get(name) or begin(name, total)
            bars[name].reach(done, total=total)

        yield notice
