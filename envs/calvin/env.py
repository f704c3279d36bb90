"""CALVIN's original simulator as a world like PlayTable.

The same policies, experts, tasks, chains and evaluation run in both. What the original does with an
action is left as it is, also where PlayTable differs (docs/calvin.md lists it).
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from firsthand.envs.base import World
from firsthand.envs.calvin.adapter import OriginalArm, OriginalDesk
from firsthand.envs.calvin.checkout import Checkout
from firsthand.envs.calvin.session import Session
from firsthand.envs.calvin.view import OriginalView
from firsthand.envs.options import CAMERAS_CALVIN
from firsthand.rendering.camera import Picture


class CalvinEnv(World[OriginalArm, OriginalDesk]):
    """The simulator of Mees et al. 2022 in a user's checkout of calvin_env.

    Observations, actions, options and `info` are those of `envs.playtable.env.PlayTable`, with the
    blocks of scene_obs in the order red, blue, pink in every scene; actions are relative. Each
    reset loads the world anew, so that the same reset and the same actions give the same bits,
    restores the last gripper command too, and as the original lets physics go on for 1/240 s.
    Pictures are drawn only for `cameras`. A process can hold one such world (`Session`).

    Args:
        root: the checkout.
        scene: A, B, C or D.
        renderer: "tiny" (PyBullet's through the original's cameras) or "raster" (own, fast).
        cameras: edge in pixels of every camera's square picture; {} draws nothing.
        action_repeat: control steps an action lasts.
        depth: whether to observe depth.
        light_robot: whether to draw the arm by its collision meshes.
        require_stable: whether a task must stay done for a moment (False: CALVIN's way), see
            `SuccessDetector`.
        task, instruction: of every reset that names no other, as vectors of worlds need them.

    Raises:
        UserError: an argument is not one of the above, the checkout or a package it needs is
            missing, or this process has such a world already.
    """

    def __init__(
        self,
        root: str | Path,
        scene: str = "D",
        renderer: str = "tiny",
        cameras: Mapping[str, int] = CAMERAS_CALVIN,
        action_repeat: int = 1,
        depth: bool = False,
        light_robot: bool = False,
        render_mode: str | None = "rgb_array",
        require_stable: bool = False,
        task: str | None = None,
        instruction: str = "",
    ) -> None:
        super().__init__(
            scene, renderer, cameras, action_repeat, depth, "cartesian_rel", render_mode,
            require_stable, task, instruction,
        )  # fmt: skip
        self.layout = replace(self.layout, original=True)
        self.checkout = Checkout(Path(root))
        self._session = Session(self.checkout, scene, {**CAMERAS_CALVIN, **cameras}, light_robot)
        self._simulator = self._session.simulator
        self._client = self._simulator.cid
        self._view = OriginalView(renderer, self._simulator)
        self._wrap()

    def _wrap(self) -> None:
        """Puts our interface around what the simulator has loaded."""
        self.robot = OriginalArm(self._simulator)
        self.scene = OriginalDesk(self._simulator)

    def _restore(
        self, robot_obs: Float[np.ndarray, "15"], scene_obs: Float[np.ndarray, "24"]
    ) -> None:
        """Loads the world again: contacts remembered from before would change what follows."""
        self._simulator.load()
        self._wrap()
        self._view.forget()
        self._simulator.robot.gripper_action = int(robot_obs[14])
        self._simulator.reset(robot_obs, self.scene.ordered(scene_obs))

    def _picture(self, camera: str, size: int) -> Picture:
        return self._view.picture(camera, size, self.robot, self.scene)

    def _is_open(self) -> bool:
        return self._session.is_open

    def close(self) -> None:
        """Disconnects from physics and removes temporary files; may be called twice."""
        self._session.close()
