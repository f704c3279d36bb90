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
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from firsthand.common import workers
from firsthand.common.atomic import write_text
from firsthand.common.progress import progress
from firsthand.envs.evaluation import batched_rollout, policy_errors, policy_source
from firsthand.envs.evaluation.config import CAMERAS_CALVIN, EvaluationConfig
from firsthand.envs.evaluation.policies import PolicyFactory, is_batched
from firsthand.envs.evaluation.records import (
    Record,
    ResultLog,
    blaming_the_disk,
    versions,
)
from firsthand.envs.evaluation.rollout import (
    RolloutJob,
    RolloutRunner,
    RolloutSettings,
    Trial,
    lost_trial,
)
from firsthand.envs.evaluation.summary import ChainResults, TaskResults
from firsthand.envs.evaluation.video_selection import assign, choose_videos
from firsthand.envs.playtable.layouts import LAYOUTS
from firsthand.envs.tasks.chain_layouts import initial_layout
from firsthand.envs.tasks.chains import Chain, all_chains
from firsthand.envs.tasks.initial_states import generator, initial_state
from firsthand.envs.tasks.instructions import choose

_FREE = {"workers", "on_error", "step", "source"}  # settings that change no result

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
        factory: makes the policy: its class, or a function. One that is batched acts in this
            process, for all worlds at once; any other is made in every worker, where the factory is
            sent by pickle.
        out: folder of the results.
        resume: continue the evaluation whose results are there. Trials that ended by an error of
            the policy are tried again.

    Raises:
        UserError: `out` holds results that may not be continued or cannot be written to, the policy
            cannot be made, or it made a mistake in every trial (or in one, with on_error=stop).
        RuntimeError: a worker failed.
    """
    out = out.absolute()  # a policy may go to another folder
    trials = [
        task_trial(config, task, number, number * len(config.tasks) + i)
        for number in range(config.trials)
        for i, task in enumerate(config.tasks)
    ]
    records = _evaluate("tasks", trials, factory, config, out, resume)
    results = TaskResults(records)
    _summarise("tasks", results, config, out)
    policy_errors.refuse_if_all(records, out)
    return results


def evaluate_chains(
    factory: PolicyFactory, config: EvaluationConfig, out: Path, resume: bool = False
) -> ChainResults:
    """Chains of five instructions after CALVIN's protocol: the arm goes on from where it is, the
    policy is reset for every instruction, and the first failure ends the chain.

    Arguments and errors are those of `evaluate_tasks`.
    """
    out = out.absolute()
    trials = [_chain_trial(config, chain) for chain in all_chains()[: config.chains]]
    records = _evaluate("chains", trials, factory, config, out, resume)
    results = ChainResults(records)
    _summarise("chains", results, config, out)
    policy_errors.refuse_if_all(records, out)
    return results


def task_trial(config: EvaluationConfig, task: str, number: int, index: int) -> Trial:
    """The `number`-th trial of a task; `index` is its place in the records."""
    assert config.instructions is not None
    rng = generator(config.seed, "evaluation", f"{task} in words", number)
    sentence = choose(task, config.instructions, rng)
    layout = initial_state(task, number, config.seed, "evaluation", config.env.scene)
    acts = _seed(config, f"{task} acts", number)
    return Trial(index, task, (task,), (sentence,), *layout, seed=acts)


def _chain_trial(config: EvaluationConfig, chain: Chain) -> Trial:
    assert config.instructions is not None
    rng = generator(config.seed, "evaluation", "chain in words", chain.index)
    sentences = tuple(choose(task, config.instructions, rng) for task in chain.tasks)
    layout = initial_layout(chain.initial, LAYOUTS[config.env.scene])
    acts = _seed(config, "chain acts", chain.index)
    return Trial(chain.index, "chain", chain.tasks, sentences, *layout, seed=acts)


def _seed(config: EvaluationConfig, name: str, number: int) -> int:
    """For what the policy draws in a trial."""
    return int(generator(config.seed, "evaluation", name, number).integers(2**32))


def _evaluate(
    kind: str,
    trials: Sequence[Trial],
    factory: PolicyFactory,
    config: EvaluationConfig,
    out: Path,
    resume: bool,
) -> tuple[Record, ...]:
    """Run what has not been run yet; returns all records in order."""
    workers.leave_if_imported()
    known = _described(config) | _known_as(config)
    with ExitStack() as stack:
        stack.enter_context(blaming_the_disk(out))
        log = ResultLog(out, kind, _circumstances(kind, config), _known_as(config), resume)
        stack.enter_context(log)
        bar = stack.enter_context(progress())(kind, len(trials), len(log.records))
        _say_if_changed(log, config)

        def rollout_job(trial: Trial) -> RolloutJob:
            return assign(trial, kind, log.records, config, out)

        rollouts = _rollouts(trials, dict(log.records), rollout_job, factory, config)
        for job, outcome in stack.enter_context(closing(rollouts)):
            if job.trial.index in log.records:
                continue  # it was played again for the company of the others in its round
            record = {"seed": config.seed, **known} | outcome
            log.append(record | {"instructions": list(job.trial.instructions)})
            policy_errors.refuse_to_go_on(
                tuple(log.records.values()), record, stop=config.on_error == "stop"
            )
            solved = sum(r["solved"] for r in log.records.values()) / len(log.records)
            bar.advance(words=f"{solved:.2f} solved on average")
        choose_videos(kind, log.records, config, out)
        return log.finish()


def _rollouts(
    trials: Sequence[Trial],
    done: Collection[int],
    rollout_job: Callable[[Trial], RolloutJob],
    factory: PolicyFactory,
    config: EvaluationConfig,
) -> Generator[tuple[RolloutJob, Record]]:
    """Trials with their records, as they end: those not done yet, and perhaps some others."""
    if all(trial.index in done for trial in trials):
        return
    policy = policy_source.made_here(factory, config.workers)
    make = partial(make_world, config)
    if not is_batched(policy):
        todo = (rollout_job(trial) for trial in trials if trial.index not in done)
        maker = policy_source.Maker(factory) if policy is None else lambda: policy
        runner = partial(RolloutRunner, maker, make, config.steps, config.action_repeat)
        yield from workers.run(runner, lambda: next(todo, None), config.workers, lost_trial)
        return
    rounds = (trials[i : i + config.seats] for i in range(0, len(trials), config.seats))
    todo = (
        [
            rollout_job(trial) if trial.index not in done else RolloutJob(trial, None, None)
            for trial in row
        ]
        for row in rounds
        if any(trial.index not in done for trial in row)
    )
    settings = RolloutSettings.of(policy, config.steps, config.action_repeat)
    picture_bytes = sum(3 * size * size for size in config.cameras.values())
    yield from batched_rollout.run_batched(
        policy, make, settings, todo, config.workers, config.seats, picture_bytes, config.env.alone
    )


def make_world(config: EvaluationConfig, action_repeat: int) -> Any:
    """The environment that a configuration describes."""
    return config.env.make(config.cameras, action_repeat)


def _described(config: EvaluationConfig) -> dict[str, Any]:
    return {"setting": config.setting, **config.env.describe()}


def _known_as(config: EvaluationConfig) -> dict[str, Any]:
    """By what a number can be traced to a policy."""
    names = ("policy", "weights", "step", "source")
    return {k: v for k in names if (v := getattr(config, k)) not in (None, "")}


def _say_if_changed(log: ResultLog, config: EvaluationConfig) -> None:
    """The file of a policy's class may be mended between two starts; that is told."""
    before = {record.get("source") for record in log.records.values()} - {config.source}
    if before and config.source is not None:
        Console(stderr=True).print(
            f"{log.path}: {len(log.records)} records were made before the policy's source file was "
            "changed; every record says which (source)"
        )


def _circumstances(kind: str, config: EvaluationConfig) -> dict[str, Any]:
    """All that results depend on."""
    settings = {k: v for k, v in asdict(config).items() if k not in _FREE}
    if config.weights is not None:
        settings.pop("policy")  # a name, which others may be called by and it by others
    settings["env"] = config.env.describe()
    settings.pop({"tasks": "chains", "chains": "trials"}[kind])
    if kind == "chains":
        settings.pop("tasks")
    return {"kind": kind, "config": settings, "versions": versions()}


def _summarise(
    kind: str, results: TaskResults | ChainResults, config: EvaluationConfig, out: Path
) -> None:
    summary = results.summary() | _circumstances(kind, config) | _known_as(config)
    text = results.markdown() + _footnote(config, results.records)
    with blaming_the_disk(out):
        write_text(out / f"{kind}.summary.json", json.dumps(summary, indent=1) + "\n")
        write_text(out / f"{kind}.summary.md", text)


def _footnote(config: EvaluationConfig, records: Sequence[Record]) -> str:
    rates = sorted({record["control_hz"] for record in records if record["control_hz"]})
    known = ", ".join(f"{name} {value}" for name, value in _known_as(config).items())
    sources = {record.get("source") for record in records}
    changed = " The policy's source file was changed on the way." if len(sources) > 1 else ""
    world = ", ".join(f"{name} {value}" for name, value in _described(config).items() if value)
    return (
        f"\n{world}, seed {config.seed}, {config.instructions} sentences, "
        f"{config.steps} steps an instruction, "
        f"policy at {', '.join(f'{rate:g}' for rate in rates)} Hz. "
        f"{', '.join(f'{name} {number}' for name, number in versions().items())}.\n"
        f"{known}.{changed}\n"
    )
