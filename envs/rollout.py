"""Trials: from their starting layout, through one instruction after another, to a record."""

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from envs.grasp import Closing
from envs.results import Record
from envs.video import VideoWriter, compose

CONTROL_HZ = 30  # control steps a second, the unit in which trials are limited


@runtime_checkable
class EvaluatedPolicy(Protocol):
    """What acts. Two attributes are optional: `control_hz`, the rate at which it wants to act (30,
    or a rate that divides it), and `privileged`: when true, observations also hold `info` (the
    world's full state), `task` (its name) and `layout` (the world's), which scripted experts need.
    """

    def reset(self, instruction: str) -> None:
        """Forget everything; act on this sentence from now on."""
        ...

    def select_action(self, observation: dict[str, Any]) -> np.ndarray:
        """The relative action, (7,), for an observation of `envs.playtable.PlayTable`."""
        ...


@runtime_checkable
class BatchedActor(Protocol):
    """Acts in several worlds at once, each at a seat of its own."""

    def reset(self, seat: int, instruction: str) -> None:
        """Forget everything about this seat; act there on this sentence from now on."""
        ...

    def select_actions(self, observations: Mapping[int, dict[str, Any]]) -> dict[int, np.ndarray]:
        """The relative action, (7,), for every seat that shows an observation."""
        ...


@runtime_checkable
class BatchedPolicy(Protocol):
    """What acts in many worlds with one set of weights. The attributes are as for
    `EvaluatedPolicy`."""

    def actor(self, seats: int) -> BatchedActor:
        """Somebody who knows nothing yet and serves the seats 0 to `seats` - 1."""
        ...


def is_batched(policy: Any) -> bool:
    """Whether a policy has a method `actor`. A network of that name, as those of actor and critic
    have, is none."""
    return callable(getattr(type(policy), "actor", None))


PolicyFactory = Callable[[], EvaluatedPolicy | BatchedPolicy]


@dataclass(frozen=True)
class Trial:
    """Instructions to be followed one after another, from a given layout. The first that fails
    ends the trial. Outcomes are counted by `group`."""

    index: int
    group: str
    tasks: tuple[str, ...]
    instructions: tuple[str, ...]
    robot_obs: Float[np.ndarray, "15"]
    scene_obs: Float[np.ndarray, "24"]

    def __str__(self) -> str:
        return f"trial {self.index} ({', '.join(self.tasks)})"


@dataclass(frozen=True)
class Assignment:
    """A trial, and where to put a video of it should it succeed or fail (None: no video)."""

    trial: Trial
    success_video: Path | None
    failure_video: Path | None

    def __str__(self) -> str:
        return str(self.trial)


@dataclass(frozen=True)
class Pace:
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
    def of(cls, policy: Any, steps: int, action_repeat: int | None = None) -> "Pace":
        """What a policy asks for; `action_repeat` overrules its `control_hz`."""
        wanted = max(1, round(CONTROL_HZ / getattr(policy, "control_hz", CONTROL_HZ)))
        return cls(steps, action_repeat or wanted, getattr(policy, "privileged", False))


@dataclass(frozen=True)
class Question:
    """An observation to be answered with an action. `instruction` is the sentence to follow if it
    is a new one, None as long as the last one holds."""

    observation: dict[str, Any]
    instruction: str | None


class Examiner:
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
        self._pace = Pace.of(self._policy, steps, action_repeat)
        self._env = make_env(self._pace.action_repeat)

    def __call__(self, assignment: Assignment) -> Record:
        """Run a trial; returns its record, ready for JSON."""
        course = run_trial(self._env, assignment, self._pace)
        question = next(course)
        while True:
            if question.instruction is not None:
                self._policy.reset(question.instruction)
            try:
                question = course.send(self._policy.select_action(question.observation))
            except StopIteration as end:
                return end.value

    def close(self) -> None:
        self._env.close()


def run_trial(
    env: Any, assignment: Assignment, pace: Pace
) -> Generator[Question, np.ndarray, Record]:
    """A trial as questions that are answered with actions. Returns its record, ready for JSON."""
    trial = assignment.trial
    with ExitStack() as stack:
        film = None
        if draft := assignment.success_video or assignment.failure_video:
            film = stack.enter_context(VideoWriter(draft, CONTROL_HZ / pace.action_repeat))
        subtasks = yield from _follow(env, trial, pace, film)
        success = len(subtasks) == len(trial.tasks) and subtasks[-1]["success"]
        video = assignment.success_video if success else assignment.failure_video
        if film is not None and video is not None:
            film.keep(video)
    return {
        "index": trial.index,
        "group": trial.group,
        "success": success,
        "solved": sum(subtask["success"] for subtask in subtasks),
        "subtasks": subtasks,
        "control_hz": CONTROL_HZ / pace.action_repeat,
        "video": f"{video.parent.name}/{video.name}" if video else None,
        "tasks": list(trial.tasks),
        "robot_obs": trial.robot_obs.tolist(),
        "scene_obs": trial.scene_obs.tolist(),
    }


def _follow(
    env: Any, trial: Trial, pace: Pace, film: VideoWriter | None
) -> Generator[Question, np.ndarray, list[Record]]:
    """One instruction after another; the arm goes on from where it is."""
    states = {"robot_obs": trial.robot_obs, "scene_obs": trial.scene_obs}
    observation, _ = env.reset(options=states)
    subtasks = []
    for number, (task, instruction) in enumerate(zip(trial.tasks, trial.instructions, strict=True)):
        info = env.set_task(task, instruction)
        place = f"{number + 1} of {len(trial.tasks)}, " if len(trial.tasks) > 1 else ""
        _watch(film, observation, instruction, f"{place}0.0 s")
        success, steps, closing = False, 0, Closing(observation, info)
        while not success and steps + pace.action_repeat <= pace.steps:
            if pace.privileged:
                known = {"info": info, "task": task, "layout": env.layout}
                observation = {**observation, **known}
            action = yield Question(observation, None if steps else instruction)
            observation, _, success, _, info = env.step(action)
            steps += pace.action_repeat
            closing.watch(observation, info)
            _watch(film, observation, instruction, f"{place}{steps / CONTROL_HZ:.1f} s")
        _watch(film, observation, instruction, f"{place}{steps / CONTROL_HZ:.1f} s", success)
        subtasks.append({
            "task": task, "instruction": instruction, "success": success, "steps": steps,
            "grasp_error": closing.error,
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
