"""What every world has in common: episodes, tasks and observations around an arm and a desk.

A world adds how it is made, how a state is restored in it, how it is drawn and how it ends.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

import gymnasium
import numpy as np
from jaxtyping import Float

from firsthand.envs import actions
from firsthand.envs.options import (
    CAMERAS_CALVIN,
    check_arguments,
    check_cameras,
    check_options,
    check_task,
    observation_space,
)
from firsthand.envs.playtable import layouts
from firsthand.envs.rollout import CONTROL_HZ
from firsthand.envs.states import read_robot_obs, read_scene_obs
from firsthand.envs.tasks.initial_states import sample_robot, sample_scene, sample_start
from firsthand.envs.tasks.tasks import SuccessDetector
from firsthand.rendering.bullet import pybullet
from firsthand.rendering.camera import Picture

SUBSTEPS = 8  # physics steps of 1/240 s a control step


class Arm(Protocol):
    """The robot of a world, as `envs.playtable.robot.Panda`."""

    def command(self, action_type: str, action: Float[np.ndarray, "n"]) -> None: ...

    def proprioception(self) -> Float[np.ndarray, "15"]: ...

    def info(self) -> dict[str, Any]: ...


class Desk(Protocol):
    """Everything else that moves in a world, as `envs.playtable.scene.Scene`."""

    def update_lights(self) -> None: ...

    def scene_state(self) -> Float[np.ndarray, "24"]: ...

    def info(self) -> dict[str, Any]: ...


A = TypeVar("A", bound=Arm)
D = TypeVar("D", bound=Desk)


class World(gymnasium.Env[dict[str, Any], np.ndarray], Generic[A, D]):
    """An arm and a desk with CALVIN's observations, actions and tasks; see `envs.playtable.env`.

    Args:
        scene: name of a layout in `envs.playtable.layouts.LAYOUTS`, or another layout.
        renderer: one of `envs.options.RENDERERS`.
        cameras: edge in pixels of every camera's square picture.
        action_repeat: control steps an action lasts.
        depth: whether to observe depth.
        action_type: one of `envs.actions.ACTION_TYPES`.
        require_stable: whether a task must stay done for a moment; see
            `envs.tasks.tasks.SuccessDetector`.
        task, instruction: of every reset that names no other, as vectors of worlds need them.

    Raises:
        UserError: an argument is not one of the above.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": CONTROL_HZ}  # noqa: RUF012

    robot: A
    scene: D
    _client: int  # of PyBullet

    def __init__(
        self,
        scene: str | layouts.DeskLayout,
        renderer: str,
        cameras: Mapping[str, int],
        action_repeat: int,
        depth: bool,
        action_type: str,
        render_mode: str | None,
        require_stable: bool,
        task: str | None,
        instruction: str,
    ) -> None:
        check_arguments(scene, renderer, cameras, action_repeat, depth, require_stable)
        check_task(task, instruction)
        self.layout = layouts.LAYOUTS[scene] if isinstance(scene, str) else scene
        self.cameras = dict(cameras)
        self.action_repeat = action_repeat
        self.depth = depth
        self.require_stable = require_stable
        self.render_mode = render_mode
        self.action_type = action_type
        self.action_space = actions.space(action_type)
        self.observation_space = observation_space(self.cameras, depth)
        self.instruction = ""
        self._defaults: Mapping[str, Any] = {"task": task, "instruction": instruction}
        self._named: Mapping[str, Any] = self._defaults  # task and sentence of the latest reset
        self._judge: SuccessDetector | None = None
        self._control_steps = 0  # since the task was given
        self._ready = False  # whether there was a reset

    @abstractmethod
    def _restore(
        self, robot_obs: Float[np.ndarray, "15"], scene_obs: Float[np.ndarray, "24"]
    ) -> None:
        """Builds the world anew, in a state."""

    @abstractmethod
    def _picture(self, camera: str, size: int) -> Picture:
        """What a camera sees now, `size` pixels an edge."""

    @abstractmethod
    def _is_open(self) -> bool:
        """Whether it has not been closed yet."""

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Starts an episode from `options["robot_obs"]` and `options["scene_obs"]`, each restored
        exactly, or where they are missing from a random layout, in which the task can be begun
        if neither state is given.

        `options["task"]` is the task whose success ends the episode, `options["instruction"]` the
        sentence that `info` carries; the constructor's where they are missing, but not its sentence
        for another task than its own. A bare `reset()`, by which wrappers and vectors of worlds
        begin the next episode, keeps those of the last.

        Raises:
            UserError: an option is unknown, or a state is none that this world can be in. The
                world is then as it was before.
        """
        self._check_open()
        again = options is None and seed is None
        named = self._named if again else self._defaults
        options = check_options(options)
        if named["task"] not in (None, options.get("task", named["task"])):
            named = {"instruction": ""}  # a sentence goes with its task
        options = {**named, **options}
        task, instruction = options["task"], options["instruction"]
        robot_obs, scene_obs = options.get("robot_obs"), options.get("scene_obs")
        if robot_obs is not None:
            robot_obs = read_robot_obs(robot_obs)
        if scene_obs is not None:
            scene_obs = read_scene_obs(scene_obs, self.layout)
        super().reset(seed=seed)
        if robot_obs is None and scene_obs is None and task is not None:
            robot_obs, scene_obs = sample_start(self.np_random, self.layout, task)
        if robot_obs is None:
            robot_obs = sample_robot(self.np_random)
        if scene_obs is None:
            scene_obs = sample_scene(self.np_random, self.layout)
        self._restore(robot_obs, scene_obs)
        self._ready = True
        self._named = {"task": task, "instruction": instruction}
        info = self.set_task(task, instruction)
        return self._observe(), info

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Applies an action for `action_repeat` control steps, or until the task has succeeded.

        Raises:
            UserError: the action is not as many finite numbers as `action_space` has. The world is
                then as it was before.
            gymnasium.error.ResetNeeded: there was no reset yet.
        """
        self._check_ready()
        command = actions.read(self.action_type, action)
        success, info = False, None
        for _ in range(self.action_repeat):
            self._advance(command)
            if self._judge is not None:
                info = self._info()
                success = self._judge.update(info)
                if success:
                    break
        info = info or self._info()
        info["is_success"] = success
        return self._observe(), float(success), success, False, info

    def _advance(self, command: Float[np.ndarray, "n"]) -> None:
        """One control step."""
        self.robot.command(self.action_type, command)
        for _ in range(SUBSTEPS):
            pybullet.stepSimulation(physicsClientId=self._client)
        self.scene.update_lights()
        self._control_steps += 1

    def set_task(self, task: str | None, instruction: str = "") -> dict[str, Any]:
        """Gives another task without moving anything, as in a chain; returns its first info.

        Raises:
            UserError: there is no such task, or the instruction is no string.
        """
        self._check_ready()
        check_task(task, instruction)
        self.instruction = instruction
        self._control_steps = 0
        self._judge = (
            None if task is None else SuccessDetector(task, self._info(), self.require_stable)
        )
        return self._info()

    def _info(self) -> dict[str, Any]:
        return {
            "robot_info": self.robot.info(),
            "scene_info": self.scene.info(),
            "instruction": self.instruction,
            "is_success": False,
            "control_steps": self._control_steps,
        }

    def _observe(self) -> dict[str, Any]:
        pictures = self._draw(self.cameras)
        observation: dict[str, Any] = {"rgb_obs": {name: p.rgb for name, p in pictures.items()}}
        if self.depth:
            depths = {name.replace("rgb", "depth"): p.depth for name, p in pictures.items()}
            observation["depth_obs"] = depths
        observation["robot_obs"] = self.robot.proprioception()
        observation["scene_obs"] = self.scene.scene_state()
        return observation

    def look(self, cameras: Mapping[str, int] = CAMERAS_CALVIN) -> dict[str, Picture]:
        """Pictures of this moment, with depth and segmentation (body ids), of the given sizes.

        Raises:
            UserError: there is no such camera, or its size is out of range.
            gymnasium.error.ResetNeeded: there was no reset yet.
        """
        self._check_ready()
        check_cameras(cameras)
        return self._draw(cameras)

    def _draw(self, cameras: Mapping[str, int]) -> dict[str, Picture]:
        return {name: self._picture(name, size) for name, size in cameras.items()}

    def render(self) -> np.ndarray:
        """The static camera's picture, uint8 (h, w, 3)."""
        size = self.cameras.get("rgb_static", CAMERAS_CALVIN["rgb_static"])
        return self.look({"rgb_static": size})["rgb_static"].rgb

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(
            f"a {type(self).__name__} cannot be copied or pickled, for its physics lives in this "
            "process: make another with the same arguments (gymnasium.make(world.spec)) and reset "
            "it to robot_obs and scene_obs"
        )

    def _check_open(self) -> None:
        if not self._is_open():
            raise gymnasium.error.ClosedEnvironmentError("this world has been closed")

    def _check_ready(self) -> None:
        self._check_open()
        if not self._ready:
            raise gymnasium.error.ResetNeeded("a world must be reset before anything else")
