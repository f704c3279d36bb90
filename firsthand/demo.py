"""The whole story on one machine: watch, learn to predict, learn to act, act, report.

Two policies learn from the same demonstrations for the same number of steps at the same time, a
core each: one starts from what pretraining on first-person video left, one from nothing. They and
the scripted expert are then tried on instructions neither has seen, from layouts neither has seen.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from envs import workers
from envs.evaluation import EvaluationConfig, evaluate_tasks
from envs.nursery.corpus import NurseryConfig, make_nursery
from envs.record import RecordConfig, record
from envs.summary import TaskResults
from episodes.errors import UserError
from finetune.recipe import FinetuneConfig, finetune
from firsthand.actors import CheckpointActor, ExpertActor
from firsthand.checkpoints import locate
from firsthand.console import say
from firsthand.rollouts import rollouts
from firsthand.run import write_text
from firsthand.watching import watch
from policy.config import PolicyConfig
from pretrain.recipe import PretrainConfig, pretrain
from training.calibrate import seconds_per_step
from training.config import TrainConfig

STARTS = ("pretrained", "scratch")
# A trial of both policies and the expert together takes as long as recording so many episodes did
# (measured; a policy that fails uses up its time); what is left goes to fine-tuning.
TRIAL_IN_EPISODES = 11
REPORT_SECONDS = 15.0
SETUP_SECONDS = 40.0  # of a training run besides its steps: loading, decoding, measuring


@dataclass(frozen=True)
class DemoConfig:
    """What the demo does, and how long it may take.

    Training steps are chosen so that everything ends within `minutes` on this machine: pretraining
    gets `pretrain_share` of them, fine-tuning what the other stages leave. The steps are measured
    and written down (plan.json) before they begin, so that a resumed demo keeps to them.
    """

    minutes: float = 11.2
    pretrain_share: float = 0.15
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    nursery: NurseryConfig = field(default_factory=NurseryConfig)
    pretraining: TrainConfig = field(default_factory=TrainConfig)
    demonstrations: RecordConfig = field(default_factory=RecordConfig)
    finetuning: TrainConfig = field(default_factory=TrainConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def __post_init__(self) -> None:
        if not self.minutes > 0:
            raise UserError(f"minutes must be positive, not {self.minutes}")
        if not 0 < self.pretrain_share < 1:
            raise UserError(f"pretrain_share must lie in (0, 1), not {self.pretrain_share}")


@dataclass(frozen=True)
class DemoResult:
    """What came of it: the evaluations by who acted, seconds by stage, held-out figures by run."""

    evaluations: Mapping[str, TaskResults]
    seconds: Mapping[str, float]
    figures: Mapping[str, Mapping[str, float]]


class Plan:
    """What a demo decides on the way, on disk at once: steps, and the seconds stages took."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}

    def __call__(self, name: str, decide: Callable[[], float]) -> float:
        """What was decided before, or is decided now."""
        if name not in self._values:
            self.note(name, decide())
        return self._values[name]

    def note(self, name: str, value: float) -> None:
        self._values[name] = value
        write_text(self._path, json.dumps(self._values, indent=1) + "\n")

    def seconds(self) -> dict[str, float]:
        """How long each stage took, all starts of the demo together."""
        return {
            name.removeprefix("seconds "): value
            for name, value in self._values.items()
            if name.startswith("seconds ")
        }


def demo(config: DemoConfig, out: Path) -> DemoResult:
    """Run every stage that is not done yet, in `out`.

    Raises:
        UserError: a stage fails for a reason the user can mend.
    """
    plan = Plan(out / "plan.json")
    nursery, demonstrations = out / "nursery.hdf5", out / "demonstrations.hdf5"
    with _stage(plan, 1, "nursery: drawing first-person video"):
        make_nursery(config.nursery, nursery, resume=nursery.exists())
    with _stage(plan, 2, "pretraining: learning what happens next"):
        watched = _pretrain(config, plan, nursery, out / "pretrain")
    with _stage(plan, 3, "demonstrations: the expert shows the tasks"):
        record(config.demonstrations, demonstrations, resume=True)
    with _stage(
        plan, 4, "fine-tuning: learning to act, from the pretrained policy and from scratch"
    ):
        learned = _finetune(config, plan, demonstrations, out)
    with _stage(plan, 5, "evaluation: instructions and layouts never seen in training"):
        evaluations = _evaluate(config.evaluation, out)
    return DemoResult(evaluations, plan.seconds(), {"pretrain": watched, **learned})


@contextlib.contextmanager
def _stage(plan: Plan, number: int, title: str) -> Iterator[None]:
    name = title.partition(":")[0]
    spent = sum(plan.seconds().values())
    say(f"[{number}/5] {title} ({spent / 60:.1f} minutes so far)")
    before, begun = plan.seconds().get(name, 0.0), time.monotonic()
    try:
        yield
    finally:
        plan.note(f"seconds {name}", before + time.monotonic() - begun)


def _pretrain(config: DemoConfig, plan: Plan, corpus: Path, run: Path) -> Mapping[str, float]:
    seconds = config.minutes * 60 * config.pretrain_share
    pace = partial(_pace, config.policy, config.pretraining, act=False, processes=1)
    steps = int(plan("pretraining steps", lambda: _fitting(seconds, pace(), config.pretraining)))
    recipe = PretrainConfig(config.policy, _with_steps(config.pretraining, steps))
    return pretrain(recipe, [corpus], run, resume=(run / "checkpoints").exists()).metrics


def _finetune(
    config: DemoConfig, plan: Plan, demonstrations: Path, out: Path
) -> dict[str, Mapping[str, float]]:
    """Both policies at once, each in a process of its own with one core's share of the machine."""

    def choose() -> float:
        stages = plan.seconds()
        trials = config.evaluation.trials * len(config.evaluation.tasks)
        episode = stages["demonstrations"] / config.demonstrations.episodes
        reserved = TRIAL_IN_EPISODES * trials * episode + REPORT_SECONDS
        seconds = config.minutes * 60 - sum(stages.values()) - reserved
        pace = _pace(config.policy, config.finetuning, act=True, processes=len(STARTS))
        return _fitting(seconds, pace, config.finetuning)

    training = _with_steps(config.finetuning, int(plan("fine-tuning steps", choose)))
    training = replace(training, rollout_every=training.steps)
    pretrained = {"pretrained": locate(str(out / "pretrain")), "scratch": ""}
    jobs = iter([
        (out / start, FinetuneConfig(config.policy, training, pretrained[start]))
        for start in STARTS
    ])  # fmt: skip
    with watch({start: out / start / "metrics.jsonl" for start in STARTS}, training.steps):
        make = partial(partial, _finetune_one, demonstrations)
        done = list(workers.run(make, lambda: next(jobs, None), len(STARTS)))
    return {job[0].name: metrics for job, metrics in done}


def _finetune_one(demonstrations: Path, job: tuple[Path, FinetuneConfig]) -> Mapping[str, float]:
    """In a process of its own; what training prints goes to a file."""
    run, config = job
    run.mkdir(parents=True, exist_ok=True)
    with open(run / "log.txt", "a") as log, contextlib.redirect_stdout(log):
        resume = (run / "checkpoints").exists()
        act = rollouts(config.policy, run / "videos")
        result = finetune(config, [demonstrations], run, resume=resume, rollout=act)
        return dict(result.metrics)


def _evaluate(config: EvaluationConfig, out: Path) -> dict[str, TaskResults]:
    factories: dict[str, Any] = {s: CheckpointActor(locate(str(out / s))) for s in STARTS}
    factories["expert"] = ExpertActor(config.seed)
    results = {}
    for name, factory in factories.items():
        folder = out / "evaluation" / name
        resume = folder.exists()
        results[name] = evaluate_tasks(factory, replace(config, policy=name), folder, resume)
    return results


def _with_steps(config: TrainConfig, steps: int) -> TrainConfig:
    """The same training over so many steps, measured and saved half-way and at the end."""
    every = max(1, steps // 2)
    return replace(
        config, steps=steps, warmup=min(config.warmup, steps),
        validate_every=every, picture_every=every, checkpoint_every=every,
    )  # fmt: skip


def _fitting(seconds: float, pace: float, config: TrainConfig) -> int:
    """Steps that fit into the time, never more than the configuration's own."""
    return max(20, min(config.steps, int((seconds - SETUP_SECONDS) / pace)))


def _pace(policy: PolicyConfig, config: TrainConfig, *, act: bool, processes: int) -> float:
    """Seconds a step takes when so many processes train at once."""
    measure = partial(seconds_per_step, policy, config, act=act, steps=12)
    jobs = iter(range(processes))
    make = partial(partial, _measured, measure)
    return max(pace for _, pace in workers.run(make, lambda: next(jobs, None), processes))


def _measured(measure: Callable[[], float], job: int) -> float:
    return measure()
