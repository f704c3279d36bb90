"""Trials: from their starting layout, through one instruction after another, to a record."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from firsthand.common.errors import UserError
from firsthand.envs.evaluation.grasp_error import GraspMonitor
from firsthand.envs.evaluation.policies import EvaluatedPolicy, optional, seed_for
from firsthand.envs.evaluation.policy_errors import Mistake, attempt, read_action
from firsthand.envs.evaluation.records import Record
from firsthand.envs.evaluation.seeding import RandomStream, reseed
from firsthand.envs.evaluation.video import VideoWriter, compose

CONTROL_HZ = 30  # control steps a second, the unit in which trials are limited


@dataclass(frozen=True)
class Trial:
    """Instructions to be followed one after another, from a given layout. The first that fails
    ends the trial. Outcomes are counted by `group`; `seed` is for policies that sample."""

    index: int
    group: str
    tasks: tuple[str, ...]
    instructions: tuple[str, ...]
    robot_obs: Float[np.ndarray, "15"]
    scene_obs: Float[np.ndarray, "24"]
    seed: int = 0

    def __str__(self) -> str:
        return f"trial {self.index} ({', '.join(self.tasks)})"


@dataclass(frozen=True)
class RolloutJob:
    """A trial, and where to put a video of it should it succeed or fail (None: no video)."""

    trial: Trial
    success_video: Path | None
    failure_video: Path | None

    def __str__(self) -> str:
        return str(self.trial)


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
        self._pace = RolloutSettings.of(self._policy, steps, action_repeat)
        self._env = make_env(self._pace.action_repeat)

    def __call__(self, job: RolloutJob) -> Record:
        """Run a trial; returns its record, ready for JSON."""
        course = run_trial(self._env, job, self._pace)
        request = next(course)
        with RandomStream(job.trial.seed):
            while True:
                try:
                    request = course.send(attempt(partial(self._act, request)))
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
) -> Generator[ObservationRequest, np.ndarray | Mistake, Record]:
    """A trial as questions that are answered with actions. Returns its record, ready for JSON."""
    trial = job.trial
    with ExitStack() as stack:
        film = None
        if draft := job.success_video or job.failure_video:
            film = stack.enter_context(VideoWriter(draft, CONTROL_HZ / settings.action_repeat))
        watched = _Watched()
        subtasks = yield from _follow(env, trial, settings, film, watched)
        success = len(subtasks) == len(trial.tasks) and subtasks[-1]["success"]
        video = job.success_video if success else job.failure_video
        if film is not None and video is not None:
            film.keep(video)
    return _record(trial, subtasks) | {
        "success": success,
        "control_hz": CONTROL_HZ / settings.action_repeat,
        "video": f"{video.parent.name}/{video.name}" if video else None,
        "gripper": watched.gripper,
        "error": watched.error,
    }


def lost_trial(job: RolloutJob, how: str) -> Record:
    """The record of a trial that ended its process: that counts as an error of the policy."""
    trial = job.trial
    subtask = {
        "task": trial.tasks[0], "instruction": trial.instructions[0], "success": False, "steps": 0,
        "grasp_error": None, "seed": _seeds(trial)[0],
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


def _seeds(trial: Trial) -> list[int]:
    """A seed for each of its instructions."""
    return np.random.SeedSequence(trial.seed).generate_state(len(trial.tasks)).tolist()


@dataclass
class _Watched:
    """What is noticed about a policy during a trial.

    gripper: the lowest and the highest number it commanded its gripper with.
    error: the mistake that ended the trial, and where.
    """

    gripper: list[float] | None = None
    error: Record | None = None

    def acts(self, action: np.ndarray) -> None:
        opening = float(action[-1])
        low, high = self.gripper or (opening, opening)
        self.gripper = [min(low, opening), max(high, opening)]

    def errs(self, mistake: Mistake, task: str, step: int) -> None:
        said = {"message": mistake.message, "traceback": mistake.traceback}
        self.error = {"task": task, "step": step, **said}


def _follow(
    env: Any, trial: Trial, settings: RolloutSettings, film: VideoWriter | None, watched: _Watched
) -> Generator[ObservationRequest, np.ndarray | Mistake, list[Record]]:
    """One instruction after another; the arm goes on from where it is."""
    states = {"robot_obs": trial.robot_obs, "scene_obs": trial.scene_obs}
    observation, _ = env.reset(options=states)
    subtasks = []
    told = zip(trial.tasks, trial.instructions, _seeds(trial), strict=True)
    for number, (task, instruction, seed) in enumerate(told):
        info = env.set_task(task, instruction)
        place = f"{number + 1} of {len(trial.tasks)}, " if len(trial.tasks) > 1 else ""
        _watch(film, observation, instruction, f"{place}0.0 s")
        success, steps, closing = False, 0, GraspMonitor(observation, info)
        while not success and steps + settings.action_repeat <= settings.steps:
            if settings.privileged:
                known = {"info": info, "task": task, "layout": env.layout}
                observation = {**observation, **known}
            answer = yield ObservationRequest(observation, None if steps else instruction, seed)
            if isinstance(answer, Mistake):
                watched.errs(answer, task, steps)
                break
            watched.acts(answer)
            observation, _, success, _, info = env.step(answer)
            steps += settings.action_repeat
            closing.watch(observation, info)
            _watch(film, observation, instruction, f"{place}{steps / CONTROL_HZ:.1f} s")
        _watch(film, observation, instruction, f"{place}{steps / CONTROL_HZ:.1f} s", success)
        subtasks.append({
            "task": task, "instruction": instruction, "success": success, "steps": steps,
            "grasp_error": closing.error, "seed": seed,
        })  # fmt: skip
        if not success:
            break
    return subtasks


def _watch(
    film: VideoWriter | None,
    observation: dict[str, Any],
    caption: str,
    clock: str,
    success: bool | None = None,
) -> None:
    """A frame of the film; of how an instruction ended a second of them."""
    if film is None:
        return
    outcome = {None: "", True: ": success", False: ": failure"}[success]
    frame = compose(observation["rgb_obs"], caption, clock + outcome, success)
    for _ in range(1 if success is None else max(1, round(film.fps))):
        film.add(frame)
