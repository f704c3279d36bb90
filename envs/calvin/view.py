"""What the cameras of the original simulator see, drawn by its own code or by our rasteriser."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from firsthand.envs.calvin.adapter import OriginalArm, OriginalDesk
from firsthand.rendering.camera import Picture


class OriginalView:
    """Draws a simulator's pictures.

    With "tiny" they are the original's own, to the bit: its cameras are taken out of the simulator,
    which would draw at every step, and asked when somebody looks.

    Args:
        name: "tiny" or "raster" (our rasteriser, with the original's meshes and textures).
        simulator: `envs.calvin.session.Session.simulator`.
    """

    def __init__(self, name: str, simulator: Any) -> None:
        self._name, self._client = name, simulator.cid
        self.cameras: Mapping[str, Any] = {f"rgb_{c.name}": c for c in simulator.cameras}
        simulator.cameras = []
        self._renderer: Any = None
        self._lights: dict[str, bool] = {}  # as the renderer shows them

    def forget(self) -> None:
        """Has the lamps' colours set again: the world was loaded anew."""
        self._lights = {}

    def picture(self, camera: str, size: int, arm: OriginalArm, desk: OriginalDesk) -> Picture:
        """What a camera sees now, `size` pixels an edge. Where the original draws it, no body is
        told from another: it does not segment."""
        if self._name == "tiny":
            return self._original(camera, size)
        from firsthand.envs.playtable.cameras import gripper_camera, static_camera

        self._renderer = self._renderer or self._rasteriser()
        if self._lights != desk.lights:
            self._lights = desk.lights
            for lamp in desk.light_colors():
                self._renderer.recolor(*lamp)
        if camera == "rgb_static":
            return self._renderer.render(static_camera(size))
        return self._renderer.render(gripper_camera(size, *arm.camera_pose()))

    def _original(self, name: str, size: int) -> Picture:
        camera = self.cameras[name]
        camera.width = camera.height = size
        rgb, depth = camera.render()
        nobody = np.full((size, size), -1, np.int32)
        return Picture(np.ascontiguousarray(rgb, np.uint8), depth.astype(np.float32), nobody)

    def _rasteriser(self) -> Any:
        from firsthand.envs.calvin.textures import textures
        from firsthand.rendering.pybullet_renderer import RasterRenderer

        return RasterRenderer(self._client, textures(self._client))
