"""The whole of it on one machine: draw video, pretrain, demonstrate, fine-tune, evaluate, report.

Two policies learn from the same demonstrations for the same number of steps at the same time, a
process of one thread each: one starts from what pretraining on first-person video left, one from
nothing. They and the scripted expert are then tried on instructions neither has seen, from layouts
neither has seen. How much is learned is a number of steps: a slower machine takes longer.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from firsthand.build.actors import CheckpointActor, ExpertActor
from firsthand.build.checkpoints import locate
from firsthand.build.rollouts import rollouts
from firsthand.cli.stages import Stages
from firsthand.common import workers
from firsthand.common.follow_logs import follow_logs
from firsthand.envs.evaluation.evaluate import EvaluationConfig, evaluate_tasks
from firsthand.envs.evaluation.summary import TaskResults
from firsthand.envs.recording.record import RecordConfig, record
from firsthand.finetune.recipe import FinetuneConfig, finetune
from firsthand.policy.config import PolicyConfig
from firsthand.pretrain.recipe import PretrainConfig, pretrain
from firsthand.synthetic.hands.corpus import HandsConfig, make_hands
from firsthand.training.config import TrainConfig

STARTS = ("pretrained", "scratch")
FILMED = 4  # tasks of which a trial is filmed when a policy has learned


@dataclass(frozen=True)
class DemoConfig:
    """What the demo does. Every amount of work stands here; none depends on the machine."""

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    """What both policies are."""
    hands: HandsConfig = field(default_factory=HandsConfig)
    """The video that is drawn, and pretrained on."""
    pretraining: TrainConfig = field(default_factory=TrainConfig)
    """How the one is pretrained."""
    demonstrations: RecordConfig = field(default_factory=RecordConfig)
    """What the expert shows, and how often."""
    finetuning: TrainConfig = field(default_factory=TrainConfig)
    """How both learn from it."""
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    """What they and the expert are tried on."""

    def usual_seconds(self) -> dict[str, float]:
        """What each stage takes on two idle cores of a 2 GHz Xeon of 2017, roughly."""
        pretraining = self.pretraining.steps * self.pretraining.windows_per_pass
        finetuning = self.finetuning.steps * self.finetuning.windows_per_pass
        return {
            "hands": 0.008 * self.hands.clips * self.hands.seconds * self.hands.fps,
            "pretraining": 0.008 * pretraining,
            "demonstrations": 0.3 * self.demonstrations.episodes,
            "fine-tuning": 0.02 * finetuning,
            "evaluation": 2.5 * self.evaluation.trials * len(self.evaluation.tasks),
        }


@dataclass(frozen=True)
class DemoResult:
    """What came of it: the evaluations by who acted, seconds by stage, the last metrics by run."""

    evaluations: Mapping[str, TaskResults]
    seconds: Mapping[str, float]
    metrics: Mapping[str, Mapping[str, float]]


def demo(config: DemoConfig, out: Path) -> DemoResult:
    """Run every stage that is not done yet, in `out`.

    Raises:
        UserError: a stage fails for a reason the user can mend.
    """
    stages = Stages(out / "seconds.json", config.usual_seconds())
    hands, demonstrations = out / "hands.hdf5", out / "demonstrations.hdf5"
    with stages("hands: drawing first-person video of a person's hands"):
        make_hands(config.hands, hands, resume=True)
    with stages("pretraining: learning what happens next"):
        pretrained = _pretrain(config, hands, out / "pretrain")
    with stages("demonstrations: the expert shows the tasks"):
        record(config.demonstrations, demonstrations, resume=True)
    with stages("fine-tuning: learning to act, from the pretrained policy and from scratch"):
        learned = _finetune(config, demonstrations, out)
    with stages("evaluation: instructions and layouts never seen in training"):
        evaluations = _evaluate(config.evaluation, out)
    return DemoResult(evaluations, stages.seconds, {"pretrain": pretrained, **learned})


def _pretrain(config: DemoConfig, corpus: Path, run: Path) -> Mapping[str, float]:
    recipe = PretrainConfig(config.policy, config.pretraining)
    return pretrain(recipe, [corpus], run, resume=(run / "checkpoints").exists()).metrics


def _finetune(
    config: DemoConfig, demonstrations: Path, out: Path
) -> dict[str, Mapping[str, float]]:
    """Both policies at once, each in a process of its own."""
    begin_at = {"pretrained": locate(str(out / "pretrain")), "scratch": ""}
    jobs = iter([
        (out / start, FinetuneConfig(config.policy, config.finetuning, pretrained=begin_at[start]))
        for start in STARTS
    ])  # fmt: skip
    logs = {start: out / start / "metrics.jsonl" for start in STARTS}
    with follow_logs(logs, config.finetuning.steps):
        make = partial(partial, _finetune_one, demonstrations, filmed(config.demonstrations.tasks))
        done = list(workers.run(make, lambda: next(jobs, None), len(STARTS)))
    return {job[0].name: metrics for job, metrics in done}


def filmed(tasks: tuple[str, ...]) -> tuple[str, ...]:
    """A few of the tasks, from all over the list."""
    return tasks[:: -(-len(tasks) // FILMED)]


def _finetune_one(
    demonstrations: Path, tasks: tuple[str, ...], job: tuple[Path, FinetuneConfig]
) -> Mapping[str, float]:
    """In a process of its own; what training prints goes to a file."""
    run, config = job
    run.mkdir(parents=True, exist_ok=True)
    with open(run / "log.txt", "a") as log, contextlib.redirect_stdout(log):
        resume = (run / "checkpoints").exists()
        act = rollouts(config.policy, run / "videos", tasks)
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
