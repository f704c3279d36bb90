"""Policies for the tests of evaluation: in their own module, because workers must import it."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from episodes.errors import UserError

BUTTON = np.array([-0.12, -0.12, 0.45])


class Presser:
    """Presses the LED's button, whatever it is told to do."""

    control_hz = 10.0

    def reset(self, instruction: str) -> None:
        self.above = True

    def select_action(self, observation: dict[str, Any]) -> np.ndarray:
        position = observation["robot_obs"][:3]
        target = BUTTON + (0, 0, 0.15) if self.above else BUTTON
        if np.linalg.norm(position - target) < 0.015:
            self.above = False
        action = np.zeros(7)
        action[:3] = np.clip((target - position) / 0.06, -1, 1)
        action[6] = -1
        return action


class Counting(Presser):
    """Leaves a mark in a folder for every instruction it is given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def reset(self, instruction: str) -> None:
        super().reset(instruction)
        self.folder.mkdir(exist_ok=True)
        (self.folder / f"{len(list(self.folder.iterdir()))}").touch()


class Dying(Presser):
    """Kills its process at the third instruction."""

    def __init__(self) -> None:
        self.count = 0

    def reset(self, instruction: str) -> None:
        super().reset(instruction)
        self.count += 1
        if self.count == 3:
            os.kill(os.getpid(), signal.SIGKILL)


class Raising(Presser):
    def select_action(self, observation: dict[str, Any]) -> np.ndarray:
        raise ZeroDivisionError("the policy has a flaw")


def without_checkpoint() -> Presser:
    raise UserError("nowhere: there is no checkpoint")
