"""How well a policy follows instructions: single tasks from random layouts, and chains of five.

Results depend on the policy, the configuration and nothing else: not on the number of workers, nor
on how often the evaluation was interrupted. They are written to a folder as they come:

    <kind>.jsonl           a record a trial: layout, sentences, success, steps, video
    <kind>.config.json     configuration and versions
    <kind>.summary.json, <kind>.summary.md
    videos/<kind>-…mp4

where <kind> is `tasks` or `chains`.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from envs import workers
from envs.chains import OFFICIAL, Chain, all_chains
from envs.chains_layout import initial_layout
from envs.instructions import Wording, choose
from envs.results import Record, ResultLog, versions, write_text
from envs.rollout import Assignment, Examiner, PolicyFactory, Trial
from envs.summary import ChainResults, TaskResults
from envs.table import LAYOUTS
from envs.tasks import TASKS
from envs.trials import generator, initial_state
from episodes.errors import UserError

CAMERAS_CALVIN: Mapping[str, int] = {"rgb_static": 200, "rgb_gripper": 84}


@dataclass(frozen=True)
class EvaluationConfig:
    """How a policy is evaluated.

    Attributes:
        tasks: which single tasks.
        trials: of each single task.
        chains: how many chains of five instructions, the first of CALVIN's thousand.
        steps: control steps (1/30 s) allowed for each instruction.
        seed: of single tasks' layouts, and of sentences.
        instructions: "held_out" sentences, or those of "training".
        policy: what is evaluated, in words: kept with the results, which are never mixed with
            those of another.
        scene: the world's layout.
        renderer: what draws the pictures.
        cameras: edge in pixels of every camera's picture; {} for a policy that does not look.
        action_repeat: control steps an action lasts; None goes by the policy's `control_hz`.
        workers: processes, one environment and one policy each; 0 uses this one.
        success_videos: how many successes of every task (or of all chains) are kept as videos.
        failure_videos: the same for failures.

    Raises:
        UserError: a value is out of range or a name unknown.
    """

    tasks: tuple[str, ...] = tuple(TASKS)
    trials: int = 10
    chains: int = 100
    steps: int = 360
    seed: int = 0
    instructions: Wording = "held_out"
    policy: str = ""
    scene: str = "D"
    renderer: str = "raster"
    cameras: Mapping[str, int] = field(default_factory=lambda: dict(CAMERAS_CALVIN))
    action_repeat: int | None = None
    workers: int = 2
    success_videos: int = 1
    failure_videos: int = 1

    def __post_init__(self) -> None:
        if unknown := [task for task in self.tasks if task not in TASKS]:
            raise UserError(f"unknown task {unknown[0]!r}; there are {', '.join(TASKS)}")
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise UserError(f"tasks must name one task or more, each once, not {self.tasks}")
        if self.instructions not in ("held_out", "training"):
            raise UserError(f"instructions must be held_out or training, not {self.instructions!r}")
        for name in ("trials", "chains", "steps"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be 1 or more, not {getattr(self, name)}")
        for name in ("seed", "workers", "success_videos", "failure_videos"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} must be 0 or more, not {getattr(self, name)}")
        if self.chains > OFFICIAL:
            raise UserError(f"chains must be at most {OFFICIAL}, CALVIN's own, not {self.chains}")
        if self.action_repeat is not None and not 1 <= self.action_repeat <= self.steps:
            raise UserError(f"action_repeat must be 1 to steps={self.steps}: {self.action_repeat}")


def evaluate_tasks(
    factory: PolicyFactory, config: EvaluationConfig, out: Path, resume: bool = False
) -> TaskResults:
    """Single tasks, each `config.trials` times from random layouts.

    Args:
        factory: makes the policy, once in every worker, where it is sent by pickle.
        out: folder of the results.
        resume: continue the evaluation whose results are there.

    Raises:
        UserError: `out` holds results that may not be continued, or the policy raised one.
        RuntimeError: a worker failed.
    """
    trials = [
        task_trial(config, task, number, number * len(config.tasks) + i)
        for number in range(config.trials)
        for i, task in enumerate(config.tasks)
    ]
    records = _evaluate("tasks", trials, factory, config, out, resume)
    results = TaskResults(records)
    _summarise("tasks", results, config, out)
    return results


def evaluate_chains(
    factory: PolicyFactory, config: EvaluationConfig, out: Path, resume: bool = False
) -> ChainResults:
    """Chains of five instructions after CALVIN's protocol: the arm goes on from where it is, the
    policy is reset for every instruction, and the first failure ends the chain.

    Arguments and errors are those of `evaluate_tasks`.
    """
    trials = [_chain_trial(config, chain) for chain in all_chains()[: config.chains]]
    records = _evaluate("chains", trials, factory, config, out, resume)
    results = ChainResults(records)
    _summarise("chains", results, config, out)
    return results


def task_trial(config: EvaluationConfig, task: str, number: int, index: int) -> Trial:
    """The `number`-th trial of a task; `index` is its place in the records."""
    rng = generator(config.seed, "evaluation", f"{task} in words", number)
    sentence = choose(task, config.instructions, rng)
    return Trial(index, task, (task,), (sentence,), *initial_state(task, number, config.seed))


def _chain_trial(config: EvaluationConfig, chain: Chain) -> Trial:
    rng = generator(config.seed, "evaluation", "chain in words", chain.index)
    sentences = tuple(choose(task, config.instructions, rng) for task in chain.tasks)
    layout = initial_layout(chain.initial, LAYOUTS[config.scene])
    return Trial(chain.index, "chain", chain.tasks, sentences, *layout)


def _evaluate(
    kind: str,
    trials: Sequence[Trial],
    factory: PolicyFactory,
    config: EvaluationConfig,
    out: Path,
    resume: bool,
) -> tuple[Record, ...]:
    """Run what has not been run yet; returns all records in order."""
    make = partial(
        Examiner, factory, partial(make_world, config), config.steps, config.action_repeat
    )
    with ResultLog(out, kind, _circumstances(kind, config), resume) as log, _progress() as progress:
        todo = iter([trial for trial in trials if trial.index not in log.records])
        bar = progress.add_task(kind, total=len(trials), completed=len(log.records), solved="")

        def next_job() -> Assignment | None:
            trial = next(todo, None)
            return trial and _assign(trial, kind, log.records, config, out)

        for assignment, outcome in workers.run(make, next_job, config.workers):
            record = {"seed": config.seed, "renderer": config.renderer} | outcome
            log.append(record | {"instructions": list(assignment.trial.instructions)})
            solved = sum(r["solved"] for r in log.records.values()) / len(log.records)
            progress.update(bar, advance=1, solved=f"{solved:.2f} solved on average")
        _choose_videos(kind, log.records, config, out)
        return log.finish()


def make_world(config: EvaluationConfig, action_repeat: int) -> Any:
    """The environment that a configuration describes."""
    from envs.playtable import PlayTable  # here, so that reading a configuration needs no physics

    return PlayTable(config.scene, config.renderer, config.cameras, action_repeat)


def _assign(
    trial: Trial, kind: str, records: Mapping[int, Record], config: EvaluationConfig, out: Path
) -> Assignment:
    """Film a trial unless enough of those before it have made sure that no video will be kept."""
    before = Counter(
        record["success"]
        for record in records.values()
        if record["group"] == trial.group and record["index"] < trial.index
    )
    name = f"{kind}-{trial.index:05d}-{trial.group}"
    film = bool(config.cameras)
    return Assignment(
        trial,
        out / "videos" / f"{name}-success.mp4"
        if film and before[True] < config.success_videos
        else None,
        out / "videos" / f"{name}-failure.mp4"
        if film and before[False] < config.failure_videos
        else None,
    )


def _choose_videos(
    kind: str, records: dict[int, Record], config: EvaluationConfig, out: Path
) -> None:
    """Keep the videos of the first successes and failures of every group, and no others."""
    wanted = {True: config.success_videos, False: config.failure_videos}
    count: Counter[tuple[str, bool]] = Counter()
    for index in sorted(records):
        record = records[index]
        outcome = (record["group"], record["success"])
        count[outcome] += 1
        if count[outcome] > wanted[record["success"]]:
            records[index] = record | {"video": None}
    kept = {record["video"] for record in records.values()}
    for path in (out / "videos").glob(f"{kind}-*.mp4*"):
        if f"videos/{path.name}" not in kept:
            path.unlink()


def _circumstances(kind: str, config: EvaluationConfig) -> dict[str, Any]:
    """All that results depend on."""
    settings = {name: value for name, value in asdict(config).items() if name != "workers"}
    settings.pop({"tasks": "chains", "chains": "trials"}[kind])
    if kind == "chains":
        settings.pop("tasks")
    return {"kind": kind, "config": settings, "versions": versions()}


def _summarise(
    kind: str, results: TaskResults | ChainResults, config: EvaluationConfig, out: Path
) -> None:
    summary = results.summary() | _circumstances(kind, config)
    write_text(out / f"{kind}.summary.json", json.dumps(summary, indent=1) + "\n")
    write_text(out / f"{kind}.summary.md", results.markdown() + _footnote(config, results.records))


def _footnote(config: EvaluationConfig, records: Sequence[Record]) -> str:
    rates = sorted({record["control_hz"] for record in records})
    return (
        f"\nScene {config.scene}, renderer {config.renderer}, seed {config.seed}, "
        f"{config.instructions.replace('_', '-')} sentences, {config.steps} steps an instruction, "
        f"policy at {', '.join(f'{rate:g}' for rate in rates)} Hz. "
        f"{', '.join(f'{name} {number}' for name, number in versions().items())}.\n"
    )


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[solved]}"),
    )
