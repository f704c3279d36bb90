"""Where the fingers close: it tells a reach that missed from a grip that slipped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from firsthand.envs.evaluation.records import Record
from firsthand.envs.tasks.tasks import TASKS

HIT = 0.025  # metres: beyond it the fingers, 8 cm apart, close beside a block rather than around it

# What begins with taking hold of a block that lies somewhere.
GRASPING = tuple(t for t in TASKS if t.startswith(("lift", "rotate", "stack", "unstack")))


class GraspMonitor:
    """Notices when open fingers are first commanded to close.

    Args:
        observation, info: of the world as a task is given.
    """

    def __init__(self, observation: Mapping[str, Any], info: Mapping[str, Any]) -> None:
        self._open, self._info = _is_open(observation), info
        self.error: float | None = None

    def update(self, observation: Mapping[str, Any], info: Mapping[str, Any]) -> None:
        """Take what an action led to. `error` is then the horizontal distance (metres)
        between the tool and the nearest block when the fingers were told to close, None as long as
        they were not."""
        opened = _is_open(observation)
        if self.error is None and self._open and not opened:
            self.error = _reach(self._info)
        self._open, self._info = opened, info


def _is_open(observation: Mapping[str, Any]) -> bool:
    return bool(observation["robot_obs"][14] > 0)  # the last gripper action


def _reach(info: Mapping[str, Any]) -> float:
    tool = np.asarray(info["robot_info"]["tcp_pos"])
    blocks = info["scene_info"]["movable_objects"].values()
    return float(min(np.hypot(*(np.asarray(b["current_pos"]) - tool)[:2]) for b in blocks))


@dataclass(frozen=True)
class GraspErrors:
    """How far from a block the fingers closed, in the attempts that succeeded or that failed.

    attempts: tasks that begin with a grasp; closed: those in which open fingers closed; median:
    of the errors in metres (None without any); hits: errors below `HIT`.
    """

    attempts: int
    closed: int
    median: float | None
    hits: int

    @classmethod
    def of(cls, records: Sequence[Record], success: bool) -> "GraspErrors":
        """Over the subtasks of all records that ended as `success` says."""
        errors = [
            subtask.get("grasp_error")
            for record in records
            for subtask in record["subtasks"]
            if subtask["task"] in GRASPING and subtask["success"] == success
        ]
        known = [error for error in errors if error is not None]
        median = float(np.median(known)) if known else None
        return cls(len(errors), len(known), median, sum(error < HIT for error in known))

    def __str__(self) -> str:
        if self.median is None:
            return f"the fingers closed in none of {self.attempts} attempts"
        return (
            f"the fingers closed in {self.closed} of {self.attempts} attempts, "
            f"{100 * self.median:.1f} cm from the nearest block (median), "
            f"{self.hits} of them within {100 * HIT:.1f} cm"
        )
