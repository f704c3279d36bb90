"""One trial in one environment: from its layout, one instruction after another, to a record."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from firsthand.common.errors import UserError
from firsthand.envs.evaluation.grasp_error import GraspMonitor
from firsthand.envs.evaluation.policies import EvaluatedPolicy, optional, seed_for
from firsthand.envs.evaluation.policy_errors import PolicyError, call_policy, read_action
from firsthand.envs.evaluation.records import Record
from firsthand.envs.evaluation.seeding import RandomStream, reseed
from firsthand.envs.evaluation.trials import RolloutJob, Trial
from firsthand.envs.evaluation.video import VideoWriter, compose
from firsthand.envs.rollout import CONTROL_HZ, TaskRollout


@dataclass(frozen=True)
class RolloutSettings:
    """What a trial allows and shows.

    Attributes:
        steps: control steps allowed for each instruction.
        action_repeat: control steps an action lasts.
        privileged: whether observations also hold `info`, `task` and `layout`.
    """

    steps: int
    action_repeat: int
    privileged: bool = False

    @classmethod
    def of(cls, policy: Any, steps: int, action_repeat: int | None = None) -> "RolloutSettings":
        """What a policy asks for; `action_repeat` overrules its `control_hz`.

        Raises:
            UserError: its rate does not divide 30, or an action lasts longer than `steps`.
        """
        rate = optional(policy, "control_hz", CONTROL_HZ)
        repeat = action_repeat or _repeat_of(rate, type(policy).__name__)
        if repeat > steps:
            raise UserError(
                f"steps={steps} is less than one action of {type(policy).__name__}, which lasts "
                f"{repeat} control steps: write steps={repeat} or more"
            )
        return cls(steps, repeat, bool(optional(policy, "privileged", False)))


def _repeat_of(rate: Any, name: str) -> int:
    """Control steps an action lasts at a rate."""
    number = float(rate) if isinstance(rate, Real) and not isinstance(rate, bool) else 0.0
    exact = CONTROL_HZ / number if number > 0 else 0.0
    repeat = round(exact) if exact < np.inf else 0
    if repeat < 1 or abs(exact - repeat) > 1e-4 * repeat:
        raise UserError(
            f"{name}.control_hz is {rate!r}: the worlds take {CONTROL_HZ} control steps a second "
            "and an action lasts a whole number of them, so write 30, 15, 10, 7.5, 6, 5, … or set "
            "action_repeat to the control steps an action shall last"
        )
    return repeat


@dataclass(frozen=True)
class ObservationRequest:
    """An observation to be answered with an action, or with the mistake that was made instead.
    `instruction` is the sentence to follow if it is a new one, None as long as the last one holds;
    `seed` comes with it."""

    observation: dict[str, Any]
    instruction: str | None
    seed: int = 0


class RolloutRunner:
    """Runs trials; holds one environment and one policy for all of them.

    Args:
        factory: makes the policy.
        make_env: makes the environment, given how many control steps an action lasts.
        steps: control steps allowed for each instruction.
        action_repeat: control steps an action lasts, or None to go by the policy's `control_hz`.
    """

    def __init__(
        self,
        factory: Callable[[], EvaluatedPolicy],
        make_env: Callable[[int], Any],
        steps: int,
        action_repeat: int | None = None,
    ) -> None:
        self._policy = factory()
        self._settings = RolloutSettings.of(self._policy, steps, action_repeat)
        self._env = make_env(self._settings.action_repeat)

    def __call__(self, job: RolloutJob) -> Record:
        """Run a trial; returns its record, ready for JSON."""
        trial = run_trial(self._env, job, self._settings)
        request = next(trial)
        with RandomStream(job.trial.seed):
            while True:
                try:
                    request = trial.send(call_policy(partial(self._act, request)))
                except StopIteration as end:
                    return end.value

    def _act(self, request: ObservationRequest) -> np.ndarray:
        if request.instruction is not None:
            reseed(self._policy, request.seed)
            reset = self._policy.reset
            reset(request.instruction, **seed_for(reset, request.seed))
        return read_action(self._policy.select_action(request.observation))

    def close(self) -> None:
        self._env.close()


def run_trial(
    env: Any, job: RolloutJob, settings: RolloutSettings
) -> Generator[ObservationRequest, np.ndarray | PolicyError, Record]:
    """A trial as observations that are answered with actions. Returns its record, ready for
    JSON."""
    trial = job.trial
    with ExitStack() as stack:
        video = None
        if draft := job.success_video or job.failure_video:
            video = stack.enter_context(VideoWriter(draft, CONTROL_HZ / settings.action_repeat))
        log = _TrialLog()
        subtasks = yield from _follow(env, trial, settings, video, log)
        success = len(subtasks) == len(trial.tasks) and subtasks[-1]["success"]
        kept = job.success_video if success else job.failure_video
        if video is not None and kept is not None:
            video.keep(kept)
    return _record(trial, subtasks) | {
        "success": success,
        "control_hz": CONTROL_HZ / settings.action_repeat,
        "video": f"{kept.parent.name}/{kept.name}" if kept else None,
        "gripper": log.gripper,
        "error": log.error,
    }


def lost_trial(job: RolloutJob, how: str) -> Record:
    """The record of a trial that ended its process: that counts as an error of the policy."""
    trial = job.trial
    subtask = {
        "task": trial.tasks[0], "instruction": trial.instructions[0], "success": False, "steps": 0,
        "grasp_error": None, "seed": trial.seeds[0],
    }  # fmt: skip
    error = {"task": None, "step": None, "message": how, "traceback": ""}
    return _record(trial, [subtask]) | {
        "success": False, "control_hz": None, "video": None, "gripper": None, "error": error,
    }  # fmt: skip


def _record(trial: Trial, subtasks: list[Record]) -> Record:
    return {
        "index": trial.index,
        "group": trial.group,
        "solved": sum(subtask["success"] for subtask in subtasks),
        "subtasks": subtasks,
        "tasks": list(trial.tasks),
        "robot_obs": trial.robot_obs.tolist(),
        "scene_obs": trial.scene_obs.tolist(),
    }


@dataclass
class _TrialLog:
    """What a trial's record says of the policy.

    gripper: the lowest and the highest number it commanded its gripper with.
    error: the error that ended the trial, and where.
    """

    gripper: list[float] | None = None
    error: Record | None = None

    def add_action(self, action: np.ndarray) -> None:
        opening = float(action[-1])
        low, high = self.gripper or (opening, opening)
        self.gripper = [min(low, opening), max(high, opening)]

    def add_error(self, error: PolicyError, task: str, step: int) -> None:
        text = {"message": error.message, "traceback": error.traceback}
        self.error = {"task": task, "step": step, **text}


def _follow(
    env: Any, trial: Trial, settings: RolloutSettings, video: VideoWriter | None, log: _TrialLog
) -> Generator[ObservationRequest, np.ndarray | PolicyError, list[Record]]:
    """One instruction after another; the arm goes on from where it is."""
    states = {"robot_obs": trial.robot_obs, "scene_obs": trial.scene_obs}
    observation, _ = env.reset(options=states)
    subtasks = []
    given = zip(trial.tasks, trial.instructions, trial.seeds, strict=True)
    for number, (task, instruction, seed) in enumerate(given, 1):
        title = f"{number} of {len(trial.tasks)}, " if len(trial.tasks) > 1 else ""
        rollout = TaskRollout(
            env, task, instruction, observation, settings.steps, settings.action_repeat
        )
        grasp = GraspMonitor(rollout.observation, rollout.info)
        _add_frame(video, rollout, instruction, title)
        while rollout.running:
            observation = rollout.observation
            if settings.privileged:
                state = {"info": rollout.info, "task": task, "layout": env.layout}
                observation = {**observation, **state}
            answer = yield ObservationRequest(
                observation, None if rollout.steps else instruction, seed
            )
            if isinstance(answer, PolicyError):
                log.add_error(answer, task, rollout.steps)
                break
            log.add_action(answer)
            rollout.step(answer)
            grasp.update(rollout.observation, rollout.info)
            _add_frame(video, rollout, instruction, title)
        _add_frame(video, rollout, instruction, title, ended=True)
        observation = rollout.observation
        subtasks.append({
            "task": task, "instruction": instruction, "success": rollout.success,
            "steps": rollout.steps, "grasp_error": grasp.error, "seed": seed,
        })  # fmt: skip
        if not rollout.success:
            break
    return subtasks


def _add_frame(
    video: VideoWriter | None,
    rollout: TaskRollout,
    instruction: str,
    title: str,
    ended: bool = False,
) -> None:
    """A frame of the video; of how an instruction ended a second of them."""
    if video is None:
        return
    clock = f"{title}{rollout.steps / CONTROL_HZ:.1f} s"
    outcome = None
    if ended:
        outcome, clock = rollout.success, clock + (": success" if rollout.success else ": failure")
    frame = compose(rollout.observation["rgb_obs"], instruction, clock, outcome)
    for _ in range(max(1, round(video.fps)) if ended else 1):
        video.add(frame)
