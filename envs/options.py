"""What a world can be asked for: its constructor's arguments and its reset's options, checked."""

from collections.abc import Mapping
from difflib import get_close_matches
from numbers import Integral
from types import MappingProxyType
from typing import Any

import numpy as np
from gymnasium import spaces

from firsthand.common.errors import UserError
from firsthand.envs.playtable import layouts
from firsthand.envs.tasks.tasks import TASKS

CAMERAS_CALVIN: Mapping[str, int] = MappingProxyType({"rgb_static": 200, "rgb_gripper": 84})
FAR = {"rgb_static": 10.0, "rgb_gripper": 2.0}  # metres, beyond which a camera sees nothing
LARGEST_PICTURE = 4096  # pixels an edge
RENDERERS = ("raster", "tiny")
RESET_OPTIONS = frozenset({"robot_obs", "scene_obs", "task", "instruction"})


def check_arguments(
    scene: Any, renderer: Any, cameras: Any, action_repeat: Any, depth: Any, require_stable: Any
) -> None:
    """Checks what every world's constructor takes.

    Raises:
        UserError: an argument is not one of those there are, or out of range.
    """
    known = isinstance(scene, str) and scene in layouts.LAYOUTS
    if not known and not isinstance(scene, layouts.DeskLayout):
        raise UserError(f"scene must be one of {sorted(layouts.LAYOUTS)}, not {scene!r}")
    if renderer not in RENDERERS:
        raise UserError(f"renderer must be one of {list(RENDERERS)}, not {renderer!r}")
    check_cameras(cameras)
    if not _is_whole(action_repeat) or action_repeat < 1:
        raise UserError(f"action_repeat must be a whole number above 0, not {action_repeat!r}")
    for name, value in (("depth", depth), ("require_stable", require_stable)):
        if not isinstance(value, bool | np.bool_):
            raise UserError(f"{name} must be True or False, not {value!r}")


def check_looks(looks: Any, renderer: str) -> None:
    """Raises `UserError` unless a renderer can draw in these looks."""
    if looks not in ("scene", "random"):
        raise UserError(f"looks must be scene or random, not {looks!r}")
    if looks == "random" and renderer != "raster":
        raise UserError(f"looks=random is drawn by renderer=raster alone, not by {renderer}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_cameras(cameras: Any) -> None:
    """Checks the names and sizes of cameras.

    Raises:
        UserError: there is no such camera, or its size is out of range.
    """
    if not isinstance(cameras, Mapping):
        raise UserError(f"cameras must be a dictionary of name and size, not {cameras!r}")
    if unknown := sorted(map(str, set(cameras) - set(CAMERAS_CALVIN))):
        raise UserError(f"cameras must be among {list(CAMERAS_CALVIN)}, not {unknown}")
    for name, size in cameras.items():
        if not _is_whole(size) or not 1 <= size <= LARGEST_PICTURE:
            raise UserError(
                f"cameras: the size of {name} must be a whole number of 1 to {LARGEST_PICTURE} "
                f"pixels (pictures are square), not {size!r}"
            )


def check_options(options: Any) -> dict[str, Any]:
    """A reset's options as a new dictionary; the states in it are left for the world to read.

    Raises:
        UserError: they are no mapping, one is unknown, or the task or instruction is none.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise UserError(f"reset options must be a dictionary, not {type(options).__name__}")
    if unknown := [key for key in options if key not in RESET_OPTIONS]:
        raise UserError(f"unknown reset options {unknown}; known: {sorted(RESET_OPTIONS)}")
    check_task(options.get("task"), options.get("instruction", ""))
    return dict(options)


def check_task(task: Any, instruction: Any) -> None:
    """Checks a task's name (or None for no task) and the sentence that goes with it.

    Raises:
        UserError: there is no such task, or the sentence is no string.
    """
    if task is not None and not (isinstance(task, str) and task in TASKS):
        near = get_close_matches(task, TASKS, n=1) if isinstance(task, str) else []
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(f"unknown task {task!r}; {meant}known: {', '.join(TASKS)}")
    if not isinstance(instruction, str):
        raise UserError(f"an instruction must be a string, not {type(instruction).__name__}")


def observation_space(cameras: Mapping[str, int], depth: bool) -> spaces.Space[dict[str, Any]]:
    """The space of a world's observations; `depth_obs` is in it only with `depth`."""
    parts: dict[str, spaces.Space[Any]] = {
        "rgb_obs": spaces.Dict({
            name: spaces.Box(0, 255, (size, size, 3), np.uint8) for name, size in cameras.items()
        })
    }  # fmt: skip
    if depth:
        parts["depth_obs"] = spaces.Dict({
            name.replace("rgb", "depth"): spaces.Box(0.0, FAR[name], (size, size), np.float32)
            for name, size in cameras.items()
        })  # fmt: skip
    # Generous bounds: an arm joint turns less than once, and nothing leaves a 20 m room.
    for name, size in (("robot_obs", 15), ("scene_obs", 24)):
        parts[name] = spaces.Box(-20.0, 20.0, (size,), np.float64)
    return spaces.Dict(parts)
