"""CALVIN's original simulator behind PlayTable's interface.

The same policies, experts, tasks, chains and evaluation run on both. What the original does with an
action is left as it is, also where PlayTable differs (docs/calvin.md lists it).
"""

import shutil
import tempfile
import warnings
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from jaxtyping import Float

from envs import table
from envs.bullet import pybullet
from envs.calvin_blocks import BlockOrder
from envs.calvin_checkout import Checkout
from envs.calvin_robot import light_urdf
from envs.calvin_simulator import simulator_class
from envs.camera import Picture
from envs.options import CAMERAS_CALVIN, check_arguments, check_options, observation_space
from envs.playtable import CONTROL_HZ, SUBSTEPS
from envs.states import vector
from envs.tasks import BLOCKS, TASKS
from envs.trials import sample_robot, sample_scene
from episodes.errors import UserError


class Calvin(gymnasium.Env[dict[str, Any], np.ndarray]):
    """The simulator of Mees et al. 2022 in a user's checkout of calvin_env.

    Observations, actions, options and `info` are those of `envs.playtable.PlayTable`, with the
    blocks of scene_obs in the order red, blue, pink in every scene. Each reset loads the world
    anew, so that the same reset and the same actions give the same bits, and restores the last
    gripper command too. Pictures are drawn only for `cameras`. A process can hold one such world,
    and PyBullet's world number 0 must be free for it: the original addresses that one in places.

    Args:
        root: the checkout.
        scene: A, B, C or D.
        renderer: "tiny" (PyBullet's through the original's cameras) or "raster" (own, fast).
        cameras: edge in pixels of every camera's square picture; {} draws nothing.
        action_repeat: control steps an action lasts.
        depth: whether to observe depth.
        light_robot: whether to draw the arm by its collision meshes.

    Raises:
        UserError: an argument is not one of the above, the checkout or a package it needs is
            missing, or this process has such a world already.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": CONTROL_HZ}  # noqa: RUF012
    _is_open: ClassVar[bool] = False

    def __init__(
        self,
        root: str | Path,
        scene: str = "D",
        renderer: str = "tiny",
        cameras: Mapping[str, int] = CAMERAS_CALVIN,
        action_repeat: int = 1,
        depth: bool = False,
        light_robot: bool = False,
        render_mode: str = "rgb_array",
    ) -> None:
        check_arguments(scene, renderer, cameras, action_repeat)
        self.checkout = Checkout(Path(root))
        self.layout = table.LAYOUTS[scene]
        self.cameras = dict(cameras)
        self.action_repeat = action_repeat
        self.depth = depth
        self.render_mode = render_mode
        self.action_space = spaces.Box(-1.0, 1.0, (7,), np.float64)
        self.observation_space = observation_space(self.cameras, depth)
        self.instruction = ""
        self._task: str | None = None
        self._control_steps = 0  # since the task was given
        self._renderer_name = renderer
        self._raster: Any = None
        self._lights_shown: list[tuple[float, ...]] = []
        self._simulator = self._start(light_robot)
        self._cameras = {f"rgb_{camera.name}": camera for camera in self._simulator.cameras}
        self._simulator.cameras = []  # or every step would draw
        blocks = [block.name for block in self._simulator.scene.movable_objects]
        self._order = BlockOrder(blocks)

    def _start(self, light_robot: bool) -> Any:
        """Makes the simulator, and makes sure that it ends with this object."""
        make = simulator_class(self.checkout)
        if Calvin._is_open or pybullet.isConnected(0):
            who = "another original" if Calvin._is_open else "another PyBullet"
            raise UserError(
                f"{who} world is open in this process, and calvin_env needs a process of its own: "
                "close that world first, or use another process"
            )
        folder = Path(tempfile.mkdtemp(prefix="calvin-"))
        try:
            settings = self._settings(folder, light_robot)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of calvin_env's age
                simulator = make(**settings)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        Calvin._is_open = True
        self._release = weakref.finalize(self, _release, simulator, folder)
        return simulator

    def _settings(self, folder: Path, light_robot: bool) -> dict[str, Any]:
        """The arguments of the original's class, from the checkout's configuration."""
        config = self.checkout.config(self.layout.name)
        for name, camera in config.cameras.items():
            camera.width = camera.height = self._size(f"rgb_{name}")
        if light_robot:
            urdf = folder / "panda.urdf"
            urdf.write_text(light_urdf(Path(config.data_path) / config.robot.filename))
            config.robot.filename = str(urdf)
        settings = {name: config.env[name] for name in config.env if name[0] != "_"}
        return settings | {"show_gui": False, "use_egl": False, "use_scene_info": True}

    def _size(self, camera: str) -> int:
        return self.cameras.get(camera, CAMERAS_CALVIN[camera])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Starts an episode; see `PlayTable.reset`. The original lets physics go on for 1/240 s.

        Raises:
            UserError: an option is unknown, or a state has the wrong shape or is not finite.
        """
        super().reset(seed=seed)
        options = dict(options or {})
        check_options(options)
        robot_obs, scene_obs = options.get("robot_obs"), options.get("scene_obs")
        if robot_obs is None:
            robot_obs = sample_robot(self.np_random)
        if scene_obs is None:
            scene_obs = sample_scene(self.np_random)
        self._restore(vector("robot_obs", robot_obs, 15), vector("scene_obs", scene_obs, 24))
        info = self.set_task(options.get("task"), options.get("instruction", ""))
        return self._observe(), info

    def _restore(
        self, robot_obs: Float[np.ndarray, "15"], scene_obs: Float[np.ndarray, "24"]
    ) -> None:
        simulator = self._simulator
        simulator.load()  # a contact cache of earlier episodes would change the later ones
        self._lights_shown = []
        scene_obs = self._order.to_original(scene_obs)
        scene_obs[4:6] = scene_obs[4:6] > 0.5  # the original refuses what is not 0 or 1
        simulator.robot.gripper_action = 1 if robot_obs[14] > 0 else -1
        simulator.reset(robot_obs, scene_obs)

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Applies an action for `action_repeat` control steps, or until the task has succeeded.

        Raises:
            UserError: the action does not have 7 finite numbers.
        """
        action = np.clip(vector("the action", action, 7), -1, 1)
        action[6] = 1 if action[6] > 0 else -1
        success, info = False, None
        for _ in range(self.action_repeat):
            self._advance(action)
            self._control_steps += 1
            if self._task is not None:
                info = self._info()
                success = TASKS[self._task].succeeded(self._start_info, info)
                if success:
                    break
        info = info or self._info()
        info["is_success"] = success
        return self._observe(), float(success), success, False, info

    def _advance(self, action: Float[np.ndarray, "7"]) -> None:
        """One control step, as the original's `step` less its observation."""
        simulator = self._simulator
        simulator.robot.apply_action(action.copy())  # the pinned revision writes into it
        for _ in range(SUBSTEPS):
            pybullet.stepSimulation(physicsClientId=simulator.cid)
        simulator.scene.step()

    def set_task(self, task: str | None, instruction: str = "") -> dict[str, Any]:
        """Gives another task without moving anything, as in a chain; returns its first info."""
        self._task, self.instruction = task, instruction
        self._control_steps = 0
        self._start_info = self._info()
        return self._info()

    def _info(self) -> dict[str, Any]:
        """The original's info with arrays for tuples and the blocks in our order."""
        info = self._simulator.get_info()
        _as_arrays(info["robot_info"], "tcp_pos", "tcp_orn", "arm_joint_states")
        info["robot_info"]["gripper_action"] = int(info["robot_info"]["gripper_action"])
        blocks = info["scene_info"]["movable_objects"]
        for block in blocks.values():
            _as_arrays(block, "current_pos", "current_orn", "current_lin_vel", "current_ang_vel")
        info["scene_info"]["movable_objects"] = {name: blocks[name] for name in BLOCKS}
        return info | {
            "instruction": self.instruction,
            "is_success": False,
            "control_steps": self._control_steps,
        }

    def _observe(self) -> dict[str, Any]:
        state = self._simulator.get_state_obs()
        pictures = {name: self._picture(name, size) for name, size in self.cameras.items()}
        observation: dict[str, Any] = {"rgb_obs": {name: p.rgb for name, p in pictures.items()}}
        if self.depth:
            depths = {name.replace("rgb", "depth"): p.depth for name, p in pictures.items()}
            observation["depth_obs"] = depths
        observation["robot_obs"] = state["robot_obs"]
        observation["scene_obs"] = self._order.to_ours(state["scene_obs"])
        return observation

    def _picture(self, camera: str, size: int) -> Picture:
        """What a camera sees now."""
        if self._renderer_name == "tiny":
            rgb, depth = self._cameras[camera].render()
            shape = (size, size)
            nothing = np.full(shape, -1, np.int32)  # the original's cameras do not segment
            rgb = np.ascontiguousarray(rgb, dtype=np.uint8)
            return Picture(rgb, depth.astype(np.float32), nothing)
        return self._rasterised(camera, size)

    def _rasterised(self, camera: str, size: int) -> Picture:
        from envs.calvin_textures import textures
        from envs.cameras import gripper_camera, static_camera
        from envs.renderer import RasterRenderer

        simulator = self._simulator
        if self._raster is None:
            self._raster = RasterRenderer(simulator.cid, textures(simulator.cid))
        lights = [
            (light.uid, light.link_id, light.color_on if light.state.value else light.color_off)
            for light in simulator.scene.lights
        ]
        if lights != self._lights_shown:
            self._lights_shown = lights
            for light in lights:
                self._raster.recolor(*light)
        if camera == "rgb_static":
            return self._raster.render(static_camera(size))
        hand = self._cameras["rgb_gripper"].gripper_cam_link
        state = pybullet.getLinkState(
            simulator.robot.robot_uid, hand, physicsClientId=simulator.cid
        )
        return self._raster.render(gripper_camera(size, state[0], state[1]))

    def render(self) -> np.ndarray:
        """The static camera's picture, uint8 (h, w, 3)."""
        return self._picture("rgb_static", self._size("rgb_static")).rgb

    def close(self) -> None:
        """Disconnects from physics and removes temporary files; may be called twice."""
        self._release()


def _release(simulator: Any, folder: Path) -> None:
    simulator.close()
    shutil.rmtree(folder, ignore_errors=True)
    Calvin._is_open = False


def _as_arrays(values: dict[str, Any], *names: str) -> None:
    for name in names:
        values[name] = np.array(values[name], np.float64)
