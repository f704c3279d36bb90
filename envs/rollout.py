"""One task in one environment, step by step: the loop that evaluation, recording and acting while
training share."""

from typing import Any

import numpy as np

CONTROL_HZ = 30  # control steps a second, the unit in which tasks are limited


class TaskRollout:
    """A task under way in an environment: gives it, then takes actions until it has succeeded or
    time is up.

    Args:
        env: a world, as `envs.base.World`; nothing in it is moved when the task is given.
        observation: what is observed now.
        max_steps: control steps (1/30 s) allowed.
        action_repeat: control steps an action lasts.

    Attributes:
        task: its name.
        observation, info: the latest ones.
        steps: control steps taken.
        success: whether the task has succeeded.
    """

    def __init__(
        self,
        env: Any,
        task: str,
        instruction: str,
        observation: dict[str, Any],
        max_steps: int,
        action_repeat: int,
    ) -> None:
        self._env, self._max_steps, self._action_repeat = env, max_steps, action_repeat
        self.task, self.observation = task, observation
        self.info: dict[str, Any] = env.set_task(task, instruction)
        self.steps, self.success = 0, False

    @property
    def running(self) -> bool:
        """Whether there is time for another action and need of one."""
        return not self.success and self.steps + self._action_repeat <= self._max_steps

    def step(self, action: np.ndarray) -> None:
        """Apply an action, (7,), for `action_repeat` control steps."""
        self.observation, _, self.success, _, self.info = self._env.step(action)
        self.steps += self._action_repeat
