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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from envs import seats, workers
from envs.chains import Chain, all_chains
from envs.chains_layout import initial_layout
from envs.evaluation_config import CAMERAS_CALVIN, EvaluationConfig
from envs.films import assign, choose_videos
from envs.instructions import choose
from envs.results import Record, ResultLog, versions, write_text
from envs.rollout import (
    Assignment,
    EvaluatedPolicy,
    Examiner,
    Pace,
    PolicyFactory,
    Trial,
    is_batched,
)
from envs.summary import ChainResults, TaskResults
from envs.table import LAYOUTS
from envs.trials import generator, initial_state
from episodes.progress import progress

__all__ = [
    "CAMERAS_CALVIN",
    "EvaluationConfig",
    "evaluate_chains",
    "evaluate_tasks",
    "make_world",
    "task_trial",
]


def evaluate_tasks(
    factory: PolicyFactory, config: EvaluationConfig, out: Path, resume: bool = False
) -> TaskResults:
    """Single tasks, each `config.trials` times from random layouts.

    Args:
        factory: makes the policy. One that is batched acts in this process, for all worlds at once;
            any other is made in every worker, where the factory is sent by pickle.
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
    assert config.instructions is not None
    rng = generator(config.seed, "evaluation", f"{task} in words", number)
    sentence = choose(task, config.instructions, rng)
    layout = initial_state(task, number, config.seed, "evaluation", config.env.scene)
    return Trial(index, task, (task,), (sentence,), *layout)


def _chain_trial(config: EvaluationConfig, chain: Chain) -> Trial:
    assert config.instructions is not None
    rng = generator(config.seed, "evaluation", "chain in words", chain.index)
    sentences = tuple(choose(task, config.instructions, rng) for task in chain.tasks)
    layout = initial_layout(chain.initial, LAYOUTS[config.env.scene])
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
    described = _described(config)
    with ResultLog(out, kind, _circumstances(kind, config), resume) as log, progress() as begin:
        bar = begin(kind, len(trials), len(log.records))

        def film(trial: Trial) -> Assignment:
            return assign(trial, kind, log.records, config, out)

        for assignment, outcome in _played(trials, log.records, film, factory, config):
            if assignment.trial.index in log.records:
                continue  # it was played again for the company of the others in its round
            record = {"seed": config.seed, **described} | outcome
            log.append(record | {"instructions": list(assignment.trial.instructions)})
            solved = sum(r["solved"] for r in log.records.values()) / len(log.records)
            bar.advance(words=f"{solved:.2f} solved on average")
        choose_videos(kind, log.records, config, out)
        return log.finish()


def _played(
    trials: Sequence[Trial],
    done: dict[int, Record],
    film: Callable[[Trial], Assignment],
    factory: PolicyFactory,
    config: EvaluationConfig,
) -> Iterator[tuple[Assignment, Record]]:
    """Trials with their records, as they end: those not done yet, and perhaps some others."""
    if all(trial.index in done for trial in trials):
        return iter(())
    policy: Any = factory()
    make = partial(make_world, config)
    if not is_batched(policy):
        todo = (film(trial) for trial in trials if trial.index not in done)
        here: Any = _Given(policy) if config.workers == 0 else factory
        examiner = partial(Examiner, here, make, config.steps, config.action_repeat)
        return workers.run(examiner, lambda: next(todo, None), config.workers)
    rounds = (trials[i : i + config.seats] for i in range(0, len(trials), config.seats))
    todo = (
        [film(trial) if trial.index not in done else Assignment(trial, None, None) for trial in row]
        for row in rounds
        if any(trial.index not in done for trial in row)
    )
    pace = Pace.of(policy, config.steps, config.action_repeat)
    picture_bytes = sum(3 * size * size for size in config.cameras.values())
    return seats.play(
        policy, make, pace, todo, config.workers, config.seats, picture_bytes, config.env.alone
    )


class _Given:
    """A factory of what was made already."""

    def __init__(self, policy: EvaluatedPolicy) -> None:
        self._policy = policy

    def __call__(self) -> EvaluatedPolicy:
        return self._policy


def make_world(config: EvaluationConfig, action_repeat: int) -> Any:
    """The environment that a configuration describes."""
    return config.env.make(config.cameras, action_repeat)


def _described(config: EvaluationConfig) -> dict[str, Any]:
    return {"setting": config.setting, **config.env.describe()}


def _circumstances(kind: str, config: EvaluationConfig) -> dict[str, Any]:
    """All that results depend on."""
    settings = {name: value for name, value in asdict(config).items() if name != "workers"}
    settings["env"] = config.env.describe()
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
    world = ", ".join(f"{name} {value}" for name, value in _described(config).items() if value)
    return (
        f"\n{world}, seed {config.seed}, {config.instructions} sentences, "
        f"{config.steps} steps an instruction, "
        f"policy at {', '.join(f'{rate:g}' for rate in rates)} Hz. "
        f"{', '.join(f'{name} {number}' for name, number in versions().items())}.\n"
    )
