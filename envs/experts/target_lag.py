"""How far an expert's actions have led the arm's target away from the tool.

PlayTable keeps the target near the tool. The original simulator does not: an expert that pushes, or
reaches for what is too far away, would move the target out of sight and afterwards wait for it.
"""

import numpy as np
from jaxtyping import Float

from firsthand.envs.experts.world_view import WorldView
from firsthand.envs.playtable.robot import MAX_LEAD, MAX_STEP, wrap


class TargetLag:
    """Estimates the target from the actions sent since a task was given."""

    def __init__(self) -> None:
        self._target: Float[np.ndarray, " 6"] | None = None

    def limited(
        self, action: Float[np.ndarray, "6"], view: WorldView, action_repeat: int
    ) -> Float[np.ndarray, "6"]:
        """The action, less what would bring the target too far ahead of the tool."""
        robot = view.info["robot_info"]
        tool = np.concatenate([robot["tcp_pos"], robot["tcp_orn"]])
        if self._target is None:
            self._target = tool.copy()
        ahead = self._target - tool
        ahead[3:] = wrap(ahead[3:])
        step = action * MAX_STEP * action_repeat
        wanted = np.clip(ahead + step, -MAX_LEAD, MAX_LEAD)
        return np.clip((wanted - ahead) / (MAX_STEP * action_repeat), -1, 1)

    def add(self, action: Float[np.ndarray, "6"], action_repeat: int) -> None:
        """Takes note of an action that is sent."""
        assert self._target is not None
        self._target = self._target + action * MAX_STEP * action_repeat
