"""Policies for the tests of evaluation: in their own module, because workers must import it."""

import asyncio
import os
import random
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from firsthand.common.errors import UserError
from firsthand.envs.config import PlayTableWorld

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

    def actor(self, num_envs: int) -> "TeamAtWork":
        return TeamAtWork(num_envs)


class TeamAtWork:
    def __init__(self, num_envs: int) -> None:
        self.members = [Presser() for _ in range(num_envs)]

    def reset(self, env_index: int, instruction: str) -> None:
        self.members[env_index].reset(instruction)

    def select_actions(self, observations: Mapping[int, dict[str, Any]]) -> dict[int, np.ndarray]:
        sway = 0.03 * np.sin(sum(3.0**i for i in observations))
        return {
            i: self.members[i].select_action(observation) + sway
            for i, observation in observations.items()
        }


class FailingTeam(Team):
    """Whose members have a flaw."""

    def actor(self, num_envs: int) -> TeamAtWork:
        team = TeamAtWork(num_envs)
        team.members = [Raising() for _ in range(num_envs)]
        return team


@dataclass(frozen=True)
class StillWorld(PlayTableWorld):
    """A world without physics, for trials that are about the policy: nothing moves, and a task is
    done when the first number of an action is above 0.5."""

    def make(self, cameras: Mapping[str, int], action_repeat: int = 1, depth: bool = False) -> Any:
        return Still(action_repeat)

    def describe(self) -> dict[str, Any]:
        return {"world": "still", "scene": self.scene}


class Still:
    layout = "none"

    def __init__(self, action_repeat: int) -> None:
        self.action_repeat = action_repeat

    def reset(self, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.look(), {}

    def set_task(self, task: str, instruction: str) -> dict[str, Any]:
        return {}

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        return self.look(), 0.0, bool(action[0] > 0.5), False, {}

    def look(self) -> dict[str, Any]:
        return {"rgb_obs": {}, "robot_obs": np.zeros(15), "scene_obs": np.zeros(24)}

    def close(self) -> None:
        pass


class Ready:
    """Does at once what it is told, with open fingers."""

    control_hz = 30

    def reset(self, instruction: str) -> None:
        self.instruction = instruction

    def select_action(self, observation: dict[str, Any]) -> Any:
        return np.array([1.0, 0, 0, 0, 0, 0, 0.3])


class Panic(BaseException):
    """As what the bindings of Rust raise."""


class WordlessError(Exception):
    """Has no words, and no attribute that nobody gave it."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)


ODDITIES: dict[str, Callable[[], BaseException]] = {
    "panic": partial(Panic, "thread panicked"),
    "generator": GeneratorExit,
    "cancelled": asyncio.CancelledError,
    "wordless": WordlessError,
    "unwritable": partial(ValueError, "caf\udce9 \x1b[31m"),
    "interrupt": KeyboardInterrupt,
}


class Afraid(Ready):
    """Cannot do anything about drawers, in one of several ways."""

    def __init__(self, way: str = "raise") -> None:
        self.way = way

    def select_action(self, observation: dict[str, Any]) -> Any:
        if "drawer" not in self.instruction:
            return super().select_action(observation)
        if self.way == "raise":
            raise KeyError("drawer")
        if self.way == "exit":
            raise SystemExit(3)
        if self.way == "die":
            os._exit(9)
        if self.way in ODDITIES:
            raise ODDITIES[self.way]()
        if self.way == "masked":
            return np.ma.masked_all(7)
        if self.way == "leave":
            os.chdir("/")
            return np.zeros(7)
        return {"nan": np.full(7, np.nan), "shape": np.zeros((1, 7)), "none": None}[self.way]


class AfraidTeam:
    """The same in several worlds at once; "all" is a mistake that spoils the whole batch."""

    control_hz = 30

    def __init__(self, way: str) -> None:
        self.way = way

    def actor(self, num_envs: int) -> "AfraidTeam":
        self.instructions: dict[int, str] = {}
        return self

    def reset(self, env_index: int, instruction: str) -> None:
        self.instructions[env_index] = instruction

    def select_actions(self, observations: Mapping[int, dict[str, Any]]) -> Any:
        actions = {i: np.ones(7) for i in observations}
        afraid = [i for i in actions if "drawer" in self.instructions[i]]
        if self.way == "rows":
            return list(actions.values())
        if self.way == "all" and afraid:
            raise KeyError("drawer")
        for i in afraid:
            if self.way == "missing":
                del actions[i]
            else:
                actions[i] = np.full(7, np.nan)
        return actions


class Sampling(Ready):
    """Draws, from everything that can be drawn from, whether it does what it is told."""

    def __init__(self) -> None:
        self.own = np.random.default_rng(0)
        self.old = np.random.RandomState(0)
        self.plain = random.Random(0)
        self.part = Ready()
        self.part.__dict__["rng"] = np.random.default_rng(0)
        np.random.seed(0)  # noqa: NPY002

    def reset(self, instruction: str) -> None:
        drawn = (
            self.own.random(), self.old.rand(), self.plain.random(), random.random(),
            np.random.rand(), self.part.__dict__["rng"].random(),  # noqa: NPY002
        )  # fmt: skip
        self.numbers = np.array([*drawn, 1.0])

    def select_action(self, observation: dict[str, Any]) -> Any:
        # the record of a trial shows the gripper's number, which here is what was drawn
        self.numbers[-1] = np.random.rand() + self.numbers[:6].sum()  # noqa: NPY002
        return np.append(self.numbers[:6] > 0.9, self.numbers[-1])


class Told(Ready):
    """Asks for its seed, and shows it as the gripper's number."""

    def reset(self, instruction: str, *, seed: int) -> None:
        self.seed = seed

    def select_action(self, observation: dict[str, Any]) -> Any:
        return np.array([1.0, 0, 0, 0, 0, 0, self.seed])


class ToldTeam:
    """The same in several worlds at once."""

    control_hz = 30

    def __init__(self) -> None:
        self.seeds: dict[int, int] = {}

    def actor(self, num_envs: int) -> "ToldTeam":
        return ToldTeam()

    def reset(self, env_index: int, instruction: str, seed: int) -> None:
        self.seeds[env_index] = seed

    def select_actions(self, observations: Mapping[int, dict[str, Any]]) -> Any:
        return {i: np.array([1.0, 0, 0, 0, 0, 0, self.seeds[i]]) for i in observations}


class Made(Ready):
    """Leaves a mark in a folder whenever it is made."""

    def __init__(self, folder: Path) -> None:
        with open(folder / "made", "a") as file:
            file.write(f"{os.getpid()}\n")


class WithChildren(Ready):
    """Starts a process, as data loaders do."""

    def __init__(self) -> None:
        with get_context("spawn").Pool(1) as pool:
            assert pool.map(abs, [-1]) == [1]


class NeedsArguments(Ready):
    def __init__(self, checkpoint: str) -> None:
        pass


class Exiting(Ready):
    def __init__(self) -> None:
        raise SystemExit("no weights")


class WithoutInstruction(Ready):
    def reset(self) -> None:
        pass


class ActorCritic(Ready):
    def actor(self, observation: Any) -> np.ndarray:
        return np.zeros(7)


class Wrapping(Ready):
    """Looks in a dictionary for what it has not got, as does a part of it, also as a batch."""

    class Part:
        __slots__ = ()

        def __getattr__(self, name: str) -> Any:
            return {}[name]

    def __init__(self) -> None:
        self.part = self.Part()

    def __getattr__(self, name: str) -> Any:
        return {}[name]


class Unreadable(Ready):
    @property
    def control_hz(self) -> float:
        raise KeyError("no such rate")


class AtRate(Ready):
    def __init__(self, control_hz: Any) -> None:
        self.control_hz = control_hz
