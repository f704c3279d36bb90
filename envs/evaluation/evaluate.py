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
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from firsthand.common import workers
from firsthand.common.atomic import write_text
from firsthand.common.progress import progress
from firsthand.envs.evaluation import policy_errors
from firsthand.envs.evaluation.batched_rollout import rollouts
from firsthand.envs.evaluation.config import EvaluationConfig
from firsthand.envs.evaluation.policies import PolicyFactory
from firsthand.envs.evaluation.records import Record, ResultLog, blaming_the_disk, versions
from firsthand.envs.evaluation.summary import ChainResults, TaskResults
from firsthand.envs.evaluation.trials import Trial, plan_trials
from firsthand.envs.evaluation.video_selection import choose_videos, job_with_videos

_FREE = {"workers", "on_error", "step", "source"}  # settings that change no result

__all__ = ["EvaluationConfig", "evaluate_chains", "evaluate_tasks"]


def evaluate_tasks(
    factory: PolicyFactory, config: EvaluationConfig, out: Path, resume: bool = False
) -> TaskResults:
    """Single tasks, each `config.trials` times from random layouts.

    Args:
        factory: makes the policy: its class, or a function. One that is batched acts in this
            process, for all environments at once; any other is made in every worker, where the
            factory is sent by pickle.
        out: folder of the results.
        resume: continue the evaluation whose results are there. Trials that ended by an error of
            the policy are tried again.

    Raises:
        UserError: `out` holds results that may not be continued or cannot be written to, the policy
            cannot be made, or it made an error in every trial (or in one, with on_error=stop).
        RuntimeError: a worker failed.
    """
    out = out.absolute()  # a policy may go to another folder
    records = _run("tasks", plan_trials("tasks", config), factory, config, out, resume)
    results = TaskResults(records)
    _write_summary("tasks", results, config, out)
    return results


def evaluate_chains(
    factory: PolicyFactory, config: EvaluationConfig, out: Path, resume: bool = False
) -> ChainResults:
    """Chains of five instructions after CALVIN's protocol: the arm goes on from where it is, the
    policy is reset for every instruction, and the first failure ends the chain.

    Arguments and errors are those of `evaluate_tasks`.
    """
    out = out.absolute()
    records = _run("chains", plan_trials("chains", config), factory, config, out, resume)
    results = ChainResults(records)
    _write_summary("chains", results, config, out)
    return results


def _run(
    kind: str,
    trials: Sequence[Trial],
    factory: PolicyFactory,
    config: EvaluationConfig,
    out: Path,
    resume: bool,
) -> tuple[Record, ...]:
    """Run what has not been run yet; returns all records in order."""
    workers.leave_if_imported()
    with ExitStack() as stack:
        stack.enter_context(blaming_the_disk(out))
        log = ResultLog(out, kind, _conditions(kind, config), _policy_identity(config), resume)
        stack.enter_context(log)
        bar = stack.enter_context(progress())(kind, len(trials), len(log.records))
        _report_changed_source(log, config)
        job_of = partial(job_with_videos, kind, log.records, config, out)
        ended = rollouts(trials, frozenset(log.records), job_of, factory, config)
        for job, outcome in stack.enter_context(closing(ended)):
            if job.trial.index in log.records:
                continue  # run again only to complete the batches of its round
            record = {"seed": config.seed, **_origin(config), **outcome}
            log.append(record | {"instructions": list(job.trial.instructions)})
            policy_errors.refuse_to_go_on(
                tuple(log.records.values()), record, stop=config.on_error == "stop"
            )
            solved = sum(r["solved"] for r in log.records.values()) / len(log.records)
            bar.advance(words=f"{solved:.2f} solved on average")
        choose_videos(kind, log.records, config, out)
        return log.finish()


def _origin(config: EvaluationConfig) -> dict[str, Any]:
    """What every record says of how it was made."""
    return _described(config) | _policy_identity(config)


def _described(config: EvaluationConfig) -> dict[str, Any]:
    return {"setting": config.setting, **config.env.describe()}


def _policy_identity(config: EvaluationConfig) -> dict[str, Any]:
    """By what a number can be traced to a policy."""
    names = ("policy", "weights", "step", "source")
    return {k: v for k in names if (v := getattr(config, k)) not in (None, "")}


def _conditions(kind: str, config: EvaluationConfig) -> dict[str, Any]:
    """All that results depend on."""
    settings = {k: v for k, v in asdict(config).items() if k not in _FREE}
    if config.weights is not None:
        settings.pop("policy")  # a name, which others may be called by and it by others
    settings["env"] = config.env.describe()
    settings.pop({"tasks": "chains", "chains": "trials"}[kind])
    if kind == "chains":
        settings.pop("tasks")
    return {"kind": kind, "config": settings, "versions": versions()}


def _report_changed_source(log: ResultLog, config: EvaluationConfig) -> None:
    """The file of a policy's class may be edited between two starts; that is told."""
    before = {record.get("source") for record in log.records.values()} - {config.source}
    if before and config.source is not None:
        Console(stderr=True).print(
            f"{log.path}: {len(log.records)} records were made before the policy's source file was "
            "changed; every record says which (source)"
        )


def _write_summary(
    kind: str, results: TaskResults | ChainResults, config: EvaluationConfig, out: Path
) -> None:
    """Raises `UserError` if every trial ended by an error of the policy."""
    summary = results.summary() | _conditions(kind, config) | _policy_identity(config)
    text = results.markdown() + _footnote(config, results.records)
    with blaming_the_disk(out):
        write_text(out / f"{kind}.summary.json", json.dumps(summary, indent=1) + "\n")
        write_text(out / f"{kind}.summary.md", text)
    policy_errors.refuse_if_all(results.records, out)


def _footnote(config: EvaluationConfig, records: Sequence[Record]) -> str:
    rates = sorted({record["control_hz"] for record in records if record["control_hz"]})
    identity = ", ".join(f"{name} {value}" for name, value in _policy_identity(config).items())
    sources = {record.get("source") for record in records}
    changed = " The policy's source file was changed on the way." if len(sources) > 1 else ""
    world = ", ".join(f"{name} {value}" for name, value in _described(config).items() if value)
    return (
        f"\n{world}, seed {config.seed}, {config.instructions} sentences, "
        f"{config.steps} steps an instruction, "
        f"policy at {', '.join(f'{rate:g}' for rate in rates)} Hz. "
        f"{', '.join(f'{name} {number}' for name, number in versions().items())}.\n"
        f"{identity}.{changed}\n"
    )
