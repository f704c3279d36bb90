"""PlayTable: CALVIN's desk and arm as a gymnasium environment, physics by PyBullet."""

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from jaxtyping import Float

from envs import robot, scene, table
from envs.bullet import pybullet
from envs.tasks import TASKS
from envs.trials import sample_robot, sample_scene
from episodes.errors import UserError

CAMERAS_CALVIN: Mapping[str, int] = MappingProxyType({"rgb_static": 200, "rgb_gripper": 84})
RENDERERS = ("raster", "tiny")
CONTROL_HZ = 30
SUBSTEPS = 8  # physics steps of 1/240 s a control step
CONTACT_MARGIN = 0.0005  # metres
RESET_OPTIONS = frozenset({"robot_obs", "scene_obs", "task", "instruction"})


class PlayTable(gymnasium.Env[dict[str, Any], np.ndarray]):
    """A Panda at a desk with a drawer, a sliding door, a button, a switch and three blocks.

    An observation holds `rgb_obs` (camera name to uint8 picture (h, w, 3)), `depth_obs` (metres,
    (h, w) float32, only with `depth`), `robot_obs` (15,) and `scene_obs` (24,), as in CALVIN. An
    action is (7,): relative xyz in units of 2 cm and relative Euler angles in units of 0.05 rad,
    both a control step, clipped to [-1, 1], then the gripper (above 0 opens, else closes). Each
    action is applied for `action_repeat` control steps at 30 Hz. With a task set at reset, success
    is looked for after every control step and ends the episode. A reset rebuilds the world, so that
    the same reset and the same actions give the same bits.

    Args:
        scene: name of a layout in `envs.table.LAYOUTS`.
        renderer: "raster" (own, fast) or "tiny" (PyBullet's).
        cameras: edge in pixels of every camera's square picture; {} draws nothing.
        action_repeat: control steps an action lasts.
        depth: whether to observe depth.

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
        render_mode: str = "rgb_array",
    ) -> None:
        _check_arguments(scene, renderer, cameras, action_repeat)
        self.layout = table.LAYOUTS[scene]
        self.cameras = dict(cameras)
        self.action_repeat = action_repeat
        self.depth = depth
        self.render_mode = render_mode
        self.action_space = spaces.Box(-1.0, 1.0, (7,), np.float64)
        self.observation_space = _observation_space(self.cameras, depth)
        self.instruction = ""
        self._task: str | None = None
        self._renderer_name = renderer
        self._renderer: Any = None
        self._lights_shown: dict[str, bool] = {}
        self._control_steps = 0  # since the task was given
        self._folder = Path(tempfile.mkdtemp(prefix="playtable-"))
        self._client = pybullet.connect(pybullet.DIRECT)
        self._release = weakref.finalize(self, _release, self._client, self._folder)
        self._write_files()
        self._load()

    def _write_files(self) -> None:
        folder = self._folder
        (folder / "panda.urdf").write_text(robot.panda_urdf())
        scene.write_urdfs(self.layout, folder)

    def _load(self) -> None:
        """Builds the world from nothing: bodies get the same ids, physics no memory."""
        client, folder = self._client, self._folder
        pybullet.resetSimulation(physicsClientId=client)
        self._lights_shown = {}
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=1 / (CONTROL_HZ * SUBSTEPS), deterministicOverlappingPairs=1,
            physicsClientId=client,
        )  # fmt: skip
        pybullet.setGravity(0, 0, -9.8, physicsClientId=client)
        self.robot = robot.Panda(client, folder / "panda.urdf")
        robot.load_pedestal(client)
        self.scene = scene.Scene(client, folder, self.layout)
        self._floor = scene.load_floor(client)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Starts an episode from `options["robot_obs"]` and `options["scene_obs"]`, each restored
        exactly, or where they are missing from a random layout.

        `options["task"]` is the task whose success ends the episode, `options["instruction"]` the
        sentence that `info` carries.

        Raises:
            UserError: an option is unknown, or a state has the wrong shape or is not finite.
        """
        super().reset(seed=seed)
        options = dict(options or {})
        _check_options(options)
        robot_obs = options.get("robot_obs")
        scene_obs = options.get("scene_obs")
        if robot_obs is None:
            robot_obs = sample_robot(self.np_random)
        if scene_obs is None:
            scene_obs = sample_scene(self.np_random)
        self._task = options.get("task")
        self.instruction = options.get("instruction", "")
        self._restore(_state("robot_obs", robot_obs, 15), _state("scene_obs", scene_obs, 24))
        self._control_steps = 0
        self._start_info = self._info()
        return self._observe(), self._info()

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

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Applies an action for `action_repeat` control steps, or until the task has succeeded.

        Raises:
            UserError: the action does not have 7 finite numbers.
        """
        action = np.clip(_state("the action", action, 7), -1, 1)
        success, info = False, None
        for _ in range(self.action_repeat):
            self.robot.command(action)
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
        """Gives another task without moving anything, as in a chain; returns its first info."""
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
        pictures = {name: self._picture(name, size) for name, size in self.cameras.items()}
        return {
            "rgb_obs": {name: picture.rgb for name, picture in pictures.items()},
            "depth_obs": {
                name.replace("rgb", "depth"): picture.depth
                for name, picture in pictures.items()
                if self.depth
            },
            "robot_obs": self.robot.observe(),
            "scene_obs": self.scene.observe(),
        }

    def _picture(self, camera: str, size: int) -> Any:
        """What a camera sees now, as `envs.raster.Picture`."""
        from envs.cameras import gripper_camera, static_camera

        self._renderer = self._renderer or self._make_renderer()
        if self._lights_shown != self.scene.lights:
            self._lights_shown = dict(self.scene.lights)
            for body, link, color in self.scene.light_colors():
                self._renderer.recolor(body, link, color)
        if camera == "rgb_static":
            return self._renderer.render(static_camera(size))
        return self._renderer.render(gripper_camera(size, *self.robot.camera_pose()))

    def _make_renderer(self) -> Any:
        from envs.renderer import RasterRenderer, TinyRenderer
        from envs.textures import tiles, wood

        if self._renderer_name == "tiny":
            return TinyRenderer(self._client)
        finish = self.layout.finish
        dark = 1 - finish.contrast
        grain = wood(
            finish.grain, light=(1, 1, 1), dark=(dark, dark * 0.97, dark * 0.94), count=finish.rings
        )
        paving = tiles(0, color=(0.95, 0.95, 0.95), joint=(0.75, 0.75, 0.75))
        textures = {(self.scene.table, link): grain for link in (-1, *self.scene.wooden)}
        return RasterRenderer(self._client, {**textures, (self._floor, -1): paving})

    def render(self) -> np.ndarray:
        """The static camera's picture, uint8 (h, w, 3)."""
        return self._picture("rgb_static", self.cameras.get("rgb_static", 200)).rgb

    def close(self) -> None:
        """Disconnects from physics and removes temporary files; may be called twice."""
        self._release()


def _release(client: int, folder: Path) -> None:
    pybullet.disconnect(client)
    shutil.rmtree(folder, ignore_errors=True)


def _check_arguments(
    scene: str, renderer: str, cameras: Mapping[str, int], action_repeat: int
) -> None:
    if scene not in table.LAYOUTS:
        raise UserError(f"scene must be one of {sorted(table.LAYOUTS)}, not {scene!r}")
    if renderer not in RENDERERS:
        raise UserError(f"renderer must be one of {list(RENDERERS)}, not {renderer!r}")
    if unknown := set(cameras) - set(CAMERAS_CALVIN):
        raise UserError(f"cameras must be among {list(CAMERAS_CALVIN)}, not {sorted(unknown)}")
    if small := {name: size for name, size in cameras.items() if size < 1}:
        raise UserError(f"a camera's size must be 1 pixel or more, not {small}")
    if action_repeat < 1:
        raise UserError(f"action_repeat must be 1 or more, not {action_repeat}")


def _check_options(options: Mapping[str, Any]) -> None:
    if unknown := set(options) - RESET_OPTIONS:
        raise UserError(f"unknown reset options {sorted(unknown)}; known: {sorted(RESET_OPTIONS)}")
    task = options.get("task")
    if task is not None and task not in TASKS:
        raise UserError(f"unknown task {task!r}; known: {', '.join(TASKS)}")


def _state(name: str, values: Any, size: int) -> Float[np.ndarray, "n"]:
    """Values as a float64 vector of the right size."""
    vector = np.asarray(values, np.float64)
    if vector.shape != (size,):
        raise UserError(f"{name} must have shape ({size},), not {vector.shape}")
    if not np.isfinite(vector).all():
        raise UserError(f"{name} must be finite, not {vector.tolist()}")
    return vector


def _observation_space(cameras: Mapping[str, int], depth: bool) -> spaces.Space[dict[str, Any]]:
    far = {"rgb_static": 10.0, "rgb_gripper": 2.0}
    pictures: dict[str, spaces.Space[Any]] = {
        name: spaces.Box(0, 255, (n, n, 3), np.uint8) for name, n in cameras.items()
    }
    depths: dict[str, spaces.Space[Any]] = {
        name.replace("rgb", "depth"): spaces.Box(0.0, far[name], (n, n), np.float32)
        for name, n in cameras.items()
        if depth
    }
    # Generous bounds: an arm joint turns less than once, and nothing leaves a 20 m room.
    return spaces.Dict({
        "rgb_obs": spaces.Dict(pictures),
        "depth_obs": spaces.Dict(depths),
        "robot_obs": spaces.Box(-20.0, 20.0, (15,), np.float64),
        "scene_obs": spaces.Box(-20.0, 20.0, (24,), np.float64),
    })  # fmt: skip
