"""Policies for the tests of evaluation: in their own module, because workers must import it."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from episodes.errors import UserError

BUTTON = np.array([-0.12, -0.12, 0.45])


class Presser:
    """Presses the LED's button, whatever it is told to do."""

    control_hz = 10.0

    def __init__(self) -> None:
        self.actor = abs  # as a policy that was trained with a critic might have

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
        super().__init__()
        self.folder = folder

    def reset(self, instruction: str) -> None:
        super().reset(instruction)
        self.folder.mkdir(exist_ok=True)
        (self.folder / f"{len(list(self.folder.iterdir()))}").touch()


class Dying(Presser):
    """Kills its process at the third instruction."""

    def __init__(self) -> None:
        super().__init__()
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


class Team:
    """Pressers in one process. What each does is swayed by who asks along with it, as rounding may
    be by the size of a batch."""

    control_hz = 10.0

    def actor(self, seats: int) -> "TeamAtWork":
        return TeamAtWork(seats)


class TeamAtWork:
    def __init__(self, seats: int) -> None:
        self.members = [Presser() for _ in range(seats)]

    def reset(self, seat: int, instruction: str) -> None:
        self.members[seat].reset(instruction)

    def select_actions(self, observations: Mapping[int, dict[str, Any]]) -> dict[int, np.ndarray]:
        sway = 0.03 * np.sin(sum(3.0**seat for seat in observations))
        return {
            seat: self.members[seat].select_action(observation) + sway
            for seat, observation in observations.items()
        }


class FailingTeam(Team):
    """Whose members have a flaw."""

    def actor(self, seats: int) -> TeamAtWork:
        team = TeamAtWork(seats)
        team.members = [Raising() for _ in range(seats)]
        return team
