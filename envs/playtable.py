"""PlayTable: CALVIN's desk and arm as a gymnasium environment, physics by PyBullet."""

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from jaxtyping import Float

from envs import actions, table
from envs.bullet import pybullet
from envs.camera import Picture
from envs.options import (
    CAMERAS_CALVIN,
    check_arguments,
    check_cameras,
    check_options,
    check_task,
    observation_space,
)
from envs.robot import Panda, load_pedestal
from envs.robot_urdf import panda_urdf
from envs.scene import Scene, load_floor, write_urdfs
from envs.states import read_robot_obs, read_scene_obs
from envs.tasks import TASKS
from envs.trials import sample_robot, sample_scene
from envs.view import View

CONTROL_HZ = 30
SUBSTEPS = 8  # physics steps of 1/240 s a control step
CONTACT_MARGIN = 0.0005  # metres


class PlayTable(gymnasium.Env[dict[str, Any], np.ndarray]):
    """A Panda at a desk with a drawer, a sliding door, a button, a switch and three blocks.

    An observation holds `rgb_obs` (camera name to uint8 picture (h, w, 3)), `robot_obs` (15,) and
    `scene_obs` (24,) in float64 as in CALVIN, the blocks always in the order red, blue, pink; with
    `depth` also `depth_obs` (metres along the optical axis, (h, w) float32). An action is a vector
    of `action_type`, by default CALVIN's relative one: (7,), xyz in units of 2 cm and Euler angles
    in units of 0.05 rad, clipped to [-1, 1], then the gripper (above 0 opens, else closes). Each
    action is applied for `action_repeat` control steps at 30 Hz. With a task set at reset, success
    is looked for after every control step and ends the episode. A reset rebuilds the world, so that
    the same reset and the same actions give the same bits.

    Nothing is drawn that is not in `cameras`: with {} pictures are had from `look` alone.

    Args:
        scene: name of a layout in `envs.table.LAYOUTS`.
        renderer: "raster" (own, fast) or "tiny" (PyBullet's).
        cameras: edge in pixels of every camera's square picture.
        action_repeat: control steps an action lasts.
        depth: whether to observe depth.
        action_type: one of `envs.actions.ACTION_TYPES`.

    Raises:
        UserError: an argument is not one of the above.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": CONTROL_HZ}  # noqa: RUF012

    def __init__(
        self,
        scene: str = "D",
        renderer: str = "raster",
        cameras: Mapping[str, int] = CAMERAS_CALVIN,
        action_repeat: int = 1,
        depth: bool = False,
        action_type: str = "cartesian_rel",
        render_mode: str | None = "rgb_array",
    ) -> None:
        check_arguments(scene, renderer, cameras, action_repeat)
        self.layout = table.LAYOUTS[scene]
        self.cameras = dict(cameras)
        self.action_repeat = action_repeat
        self.depth = depth
        self.render_mode = render_mode
        self.action_type = action_type
        self.action_space = actions.space(action_type)
        self.observation_space = observation_space(self.cameras, depth)
        self.instruction = ""
        self._task: str | None = None
        self._control_steps = 0  # since the task was given
        self._ready = False  # whether there was a reset
        self._folder = Path(tempfile.mkdtemp(prefix="playtable-"))
        self._client = pybullet.connect(pybullet.DIRECT)
        self._release = weakref.finalize(self, _release, self._client, self._folder)
        self._view = View(renderer, self._client, self.layout)
        (self._folder / "panda.urdf").write_text(panda_urdf())
        write_urdfs(self.layout, self._folder)
        self._load()

    def _load(self) -> None:
        """Builds the world from nothing: bodies get the same ids, physics no memory."""
        client, folder = self._client, self._folder
        pybullet.resetSimulation(physicsClientId=client)
        self._view.forget()
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=1 / (CONTROL_HZ * SUBSTEPS), deterministicOverlappingPairs=1,
            physicsClientId=client,
        )  # fmt: skip
        pybullet.setGravity(0, 0, -9.8, physicsClientId=client)
        self.robot = Panda(client, folder / "panda.urdf")
        load_pedestal(client)
        self.scene = Scene(client, folder, self.layout)
        self._floor = load_floor(client)

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Starts an episode from `options["robot_obs"]` and `options["scene_obs"]`, each restored
        exactly, or where they are missing from a random layout.

        `options["task"]` is the task whose success ends the episode, `options["instruction"]` the
        sentence that `info` carries.

        Raises:
            UserError: an option is unknown, or a state is none that this world can be in. The
                world is then as it was before.
        """
        self._check_open()
        options = check_options(options)
        robot_obs, scene_obs = options.get("robot_obs"), options.get("scene_obs")
        if robot_obs is not None:
            robot_obs = read_robot_obs(robot_obs)
        if scene_obs is not None:
            scene_obs = read_scene_obs(scene_obs, self.layout)
        super().reset(seed=seed)
        if robot_obs is None:
            robot_obs = sample_robot(self.np_random)
        if scene_obs is None:
            scene_obs = sample_scene(self.np_random)
        self._restore(robot_obs, scene_obs)
        self._ready = True
        info = self.set_task(options.get("task"), options.get("instruction", ""))
        return self._observe(), info

    def _restore(
        self, robot_obs: Float[np.ndarray, "15"], scene_obs: Float[np.ndarray, "24"]
    ) -> None:
        """Rebuilds the world in a state. What rests on something is found by looking for contacts
        with the blocks half a millimetre lower: bodies that only just touch do not count as such.
        """
        self._load()
        lowered = scene_obs.copy()
        lowered[8::6] -= CONTACT_MARGIN
        self.scene.reset(lowered)
        self.robot.reset(robot_obs)
        pybullet.performCollisionDetection(physicsClientId=self._client)
        self.scene.reset(scene_obs)

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
            self.robot.command(self.action_type, command)
            for _ in range(SUBSTEPS):
                pybullet.stepSimulation(physicsClientId=self._client)
            self.scene.update_lights()
            self._control_steps += 1
            if self._task is not None:
                info = self._info()
                success = TASKS[self._task].succeeded(self._start_info, info)
                if success:
                    break
        info = info or self._info()
        info["is_success"] = success
        return self._observe(), float(success), success, False, info

    def set_task(self, task: str | None, instruction: str = "") -> dict[str, Any]:
        """Gives another task without moving anything, as in a chain; returns its first info.

        Raises:
            UserError: there is no such task, or the instruction is no string.
        """
        self._check_ready()
        check_task(task, instruction)
        self._task, self.instruction = task, instruction
        self._control_steps = 0
        self._start_info = self._info()
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
        observation["robot_obs"] = self.robot.observe()
        observation["scene_obs"] = self.scene.observe()
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
        return {
            name: self._view.picture(name, size, self.robot, self.scene, self._floor)
            for name, size in cameras.items()
        }

    def render(self) -> np.ndarray:
        """The static camera's picture, uint8 (h, w, 3)."""
        size = self.cameras.get("rgb_static", CAMERAS_CALVIN["rgb_static"])
        return self.look({"rgb_static": size})["rgb_static"].rgb

    def _check_open(self) -> None:
        if not self._release.alive:
            raise gymnasium.error.ClosedEnvironmentError("this PlayTable has been closed")

    def _check_ready(self) -> None:
        self._check_open()
        if not self._ready:
            raise gymnasium.error.ResetNeeded("a PlayTable must be reset before anything else")

    def close(self) -> None:
        """Disconnects from physics and removes temporary files; may be called twice."""
        self._release()


def _release(client: int, folder: Path) -> None:
    pybullet.disconnect(client)
    shutil.rmtree(folder, ignore_errors=True)
