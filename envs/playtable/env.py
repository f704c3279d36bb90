"""PlayTable: CALVIN's desk and arm as a gymnasium environment, physics by PyBullet."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from firsthand.envs.base import SUBSTEPS, World
from firsthand.envs.options import CAMERAS_CALVIN, check_looks
from firsthand.envs.playtable.layouts import DeskLayout
from firsthand.envs.playtable.looks import Look
from firsthand.envs.playtable.robot import Panda, load_pedestal
from firsthand.envs.playtable.robot_urdf import panda_urdf
from firsthand.envs.playtable.scene import Scene, load_floor, write_urdfs
from firsthand.envs.playtable.view import View
from firsthand.envs.rollout import CONTROL_HZ
from firsthand.rendering.bullet import pybullet
from firsthand.rendering.camera import Picture

CONTACT_MARGIN = 0.0015  # metres; CALVIN's layouts put blocks 1 mm above the cabinet's floor


class PlayTable(World[Panda, Scene]):
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
        scene: name of a layout in `envs.playtable.layouts.LAYOUTS`, or another layout.
        renderer: "raster" (own, fast) or "tiny" (PyBullet's).
        cameras: edge in pixels of every camera's square picture.
        action_repeat: control steps an action lasts.
        depth: whether to observe depth.
        action_type: one of `envs.actions.ACTION_TYPES`.
        require_stable: whether a task must stay done for a moment (False: CALVIN's way), see
            `SuccessDetector`.
        task, instruction: of every reset that names no other, as vectors of worlds need them.
        looks: "scene", or "random" for other colours, textures, light and cameras in every episode
            (`envs.playtable.looks`), by the state that it begins in.

    Raises:
        UserError: an argument is not one of the above.
    """

    def __init__(
        self,
        scene: str | DeskLayout = "D",
        renderer: str = "raster",
        cameras: Mapping[str, int] = CAMERAS_CALVIN,
        action_repeat: int = 1,
        depth: bool = False,
        action_type: str = "cartesian_rel",
        render_mode: str | None = "rgb_array",
        require_stable: bool = True,
        task: str | None = None,
        instruction: str = "",
        looks: str = "scene",
    ) -> None:
        super().__init__(
            scene, renderer, cameras, action_repeat, depth, action_type, render_mode,
            require_stable, task, instruction,
        )  # fmt: skip
        check_looks(looks, renderer)
        self._looks = looks
        self._folder = Path(tempfile.mkdtemp(prefix="playtable-"))
        self._client = pybullet.connect(pybullet.DIRECT)
        self._release = weakref.finalize(self, _release, os.getpid(), self._client, self._folder)
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

    def _restore(
        self, robot_obs: Float[np.ndarray, "15"], scene_obs: Float[np.ndarray, "24"]
    ) -> None:
        """Rebuilds the world in a state. What rests on something is found by looking for contacts
        with the blocks a little lower: bodies that only just touch do not count as such.
        """
        self._load()
        if self._looks == "random":
            self._view.dress(Look.of(robot_obs, scene_obs))
        lowered = scene_obs.copy()
        lowered[8::6] -= CONTACT_MARGIN
        self.scene.reset(lowered)
        self.robot.reset(robot_obs)
        pybullet.performCollisionDetection(physicsClientId=self._client)
        self.scene.reset(scene_obs)

    def _picture(self, camera: str, size: int) -> Picture:
        return self._view.picture(camera, size, self.robot, self.scene, self._floor)

    def _is_open(self) -> bool:
        return self._release.alive

    def close(self) -> None:
        """Disconnects from physics and removes temporary files; may be called twice."""
        self._release()


def _release(process: int, client: int, folder: Path) -> None:
    if process != os.getpid():  # a copy in a forked process: the world is not its to end
        return
    pybullet.disconnect(client)
    shutil.rmtree(folder, ignore_errors=True)
