"""Single tasks and instruction chains in a world."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

from firsthand.build import actors
from firsthand.cli.console import say, table
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.common.errors import UserError
from firsthand.common.intervals import Interval
from firsthand.envs import config as worlds
from firsthand.envs.evaluation.evaluate import EvaluationConfig, evaluate_chains, evaluate_tasks
from firsthand.envs.evaluation.summary import ChainResults, TaskResults, remarks


@dataclass(frozen=True)
class EvaluateConfig(EvaluationConfig):
    """Who acts, and in what; everything else is `EvaluationConfig`."""

    cameras: Mapping[str, int] = field(default_factory=dict)
    """Edge in pixels by camera; empty: those of the checkpoint, none for the expert, CALVIN's for
    other actors."""

    checkpoint: str | None = None
    """Who acts: a run, one of its checkpoints, a saved policy, or a hub id."""
    actor: str | None = None
    """Who acts: `expert`, or any class as `package.module:name`."""
    precision: actors.Precision | None = None
    """None for products as torch takes them; `fp32`, `bf16` or `int8` to act faster on a
    processor."""
    what: Literal["tasks", "chains", "both"] = "both"
    """Single tasks, chains of five instructions, or both."""


SCHEMA = Schema(EvaluateConfig, {"env": worlds.CHOICES})


def execute(config: EvaluateConfig, run: Run) -> None:
    """Evaluate, print tables; records, summaries and videos go to the run directory, the summaries
    and a few films also to TensorBoard."""
    from firsthand.build.evaluation_board import show

    out = run.path.absolute()  # a class of the user's may go to another folder
    factory = actors.actor(config.checkpoint, config.actor, config.seed, config.precision)
    values = {f.name: getattr(config, f.name) for f in fields(EvaluationConfig)}
    values |= {"weights": None, "step": None, "source": None} | factory.known_as
    name = config.policy or config.checkpoint or config.actor or ""
    if config.precision is not None:
        name += f" in {config.precision}"
    cameras = config.cameras or factory.cameras
    if isinstance(factory, actors.CheckpointActor) and factory.cameras.keys() - cameras.keys():
        missing = ", ".join(sorted(factory.cameras.keys() - cameras.keys()))
        raise UserError(
            f"{config.checkpoint} looks through {', '.join(factory.cameras)}, and cameras= leaves "
            f"out {missing}: add it, or leave cameras away"
        )
    evaluation = EvaluationConfig(**values | {"policy": name, "cameras": cameras})
    board: dict[str, TaskResults | ChainResults] = {}
    if config.what != "chains":
        board["tasks"] = tasks = evaluate_tasks(factory, evaluation, out, run.resume)
        show_results(tasks)
        _say_all(remarks(tasks.records))
    if config.what != "tasks":
        board["chains"] = chains = evaluate_chains(factory, evaluation, out, run.resume)
        show_results(chains)
        _say_all(remarks(chains.records))
    show(board, out)
    say(f"records, summaries and videos: {run.path}")


def show_results(results: TaskResults | ChainResults) -> None:
    """Success rates with their intervals as a table."""
    if isinstance(results, TaskResults):
        rows = [("all tasks", *_shown(results.success))]
        rows += [(task, *_shown(interval)) for task, interval in results.by_task.items()]
        table("single tasks", ("task", "success", "95 %"), rows)
        return
    rows = [(f"{n} in a row", *_shown(i)) for n, i in enumerate(results.success_at, 1)]
    table("instruction chains", ("followed", "success", "95 %"), rows)
    value, low, high = results.average_length
    say(f"average length {value:.2f} ({low:.2f} to {high:.2f})")


def _say_all(lines: list[str]) -> None:
    for line in lines:
        say(line)


def _shown(interval: Interval) -> tuple[str, str]:
    return f"{interval.value:.1%}", f"{interval.low:.1%} to {interval.high:.1%}"
