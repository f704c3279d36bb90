"""One policy in one world: a trial from its starting layout to its last instruction."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from envs.video import compose, write_video

CONTROL_HZ = 30  # control steps a second, the unit in which trials are limited


@runtime_checkable
class EvaluatedPolicy(Protocol):
    """What acts. Two attributes are optional: `control_hz`, the rate at which it wants to act (30,
    or a rate that divides it), and `privileged`: when true, observations also hold `info` (the
    world's full state) and `task` (its name), which scripted experts need.
    """

    def reset(self, instruction: str) -> None:
        """Forget everything; act on this sentence from now on."""
        ...

    def select_action(self, observation: dict[str, Any]) -> np.ndarray:
        """The relative action, (7,), for an observation of `envs.playtable.PlayTable`."""
        ...


PolicyFactory = Callable[[], EvaluatedPolicy]


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
        factory: PolicyFactory,
        make_env: Callable[[int], Any],
        steps: int,
        action_repeat: int | None = None,
    ) -> None:
        self._policy = factory()
        self.action_repeat = action_repeat or action_repeat_of(self._policy)
        self._env = make_env(self.action_repeat)
        self._privileged = getattr(self._policy, "privileged", False)
        self._actions = steps // self.action_repeat
        self._pictures: list[np.ndarray] | None = None

    def __call__(self, assignment: Assignment) -> dict[str, Any]:
        """Run a trial; returns its record, ready for JSON."""
        trial = assignment.trial
        watched = assignment.success_video or assignment.failure_video
        self._pictures = [] if watched else None
        subtasks = self._run(trial)
        success = len(subtasks) == len(trial.tasks) and subtasks[-1]["success"]
        video = assignment.success_video if success else assignment.failure_video
        if video and self._pictures:
            write_video(video, self._pictures, CONTROL_HZ / self.action_repeat)
        return {
            "index": trial.index,
            "group": trial.group,
            "success": success,
            "solved": sum(subtask["success"] for subtask in subtasks),
            "subtasks": subtasks,
            "control_hz": CONTROL_HZ / self.action_repeat,
            "video": f"{video.parent.name}/{video.name}" if video and self._pictures else None,
            "tasks": list(trial.tasks),
            "robot_obs": trial.robot_obs.tolist(),
            "scene_obs": trial.scene_obs.tolist(),
        }

    def close(self) -> None:
        self._env.close()

    def _run(self, trial: Trial) -> list[dict[str, Any]]:
        states = {"robot_obs": trial.robot_obs, "scene_obs": trial.scene_obs}
        observation, _ = self._env.reset(options=states)
        subtasks = []
        for task, instruction in zip(trial.tasks, trial.instructions, strict=True):
            observation, success, actions = self._attempt(task, instruction, observation)
            subtasks.append({
                "task": task, "instruction": instruction, "success": success,
                "steps": actions * self.action_repeat,
            })  # fmt: skip
            if not success:
                break
        return subtasks

    def _attempt(
        self, task: str, instruction: str, observation: dict[str, Any]
    ) -> tuple[dict[str, Any], bool, int]:
        """One instruction; returns the last observation, success, and how many actions it took."""
        info = self._env.set_task(task, instruction)
        self._policy.reset(instruction)
        self._watch(observation, instruction)
        for action in range(1, self._actions + 1):
            if self._privileged:
                observation = {**observation, "info": info, "task": task}
            command = self._policy.select_action(observation)
            observation, _, success, _, info = self._env.step(command)
            self._watch(observation, instruction)
            if success:
                return observation, True, action
        return observation, False, self._actions

    def _watch(self, observation: dict[str, Any], caption: str) -> None:
        if self._pictures is not None and observation["rgb_obs"]:
            self._pictures.append(compose(observation["rgb_obs"], caption))


def action_repeat_of(policy: EvaluatedPolicy) -> int:
    """How many control steps each action of a policy lasts."""
    return max(1, round(CONTROL_HZ / getattr(policy, "control_hz", CONTROL_HZ)))
