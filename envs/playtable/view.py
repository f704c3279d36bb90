"""What the cameras of a PlayTable see, whichever renderer draws it."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import UInt8

from firsthand.envs.playtable import layouts
from firsthand.envs.playtable.looks import Look, Rgb
from firsthand.envs.playtable.robot import Panda
from firsthand.envs.playtable.scene import Scene
from firsthand.rendering.camera import Camera, Picture
from firsthand.rendering.meshes import Mesh


class View:
    """Draws a world's pictures. Made once; worlds loaded later must have the same bodies.

    Args:
        name: "raster" (own, fast) or "tiny" (PyBullet's).
        client: of the physics.
        layout: whose wood is shown.
    """

    def __init__(self, name: str, client: int, layout: layouts.DeskLayout) -> None:
        self._name, self._client, self._layout = name, client, layout
        self._renderer: Any = None
        self._lights: dict[str, bool] = {}  # as the renderer shows them
        self._look: Look | None = None
        self._static: dict[int, Camera] = {}  # by size
        self._meshes: dict[Any, Mesh] = {}  # those that were read

    def forget(self) -> None:
        """Has the lamps' colours set again: the world was loaded anew, and its lamps are off."""
        self._lights = {}

    def dress(self, look: Look) -> None:
        """Shows everything in a look that is not the scene's own."""
        if look != self._look:
            self._look, self._renderer, self._static = look, None, {}

    def picture(self, camera: str, size: int, robot: Panda, scene: Scene, floor: int) -> Picture:
        """What a camera sees now, `size` pixels an edge."""
        from firsthand.envs.playtable.cameras import gripper_camera, static_camera

        look = self._look
        if self._renderer is None:
            self._renderer = self._make_renderer(scene, floor)
        if self._lights != scene.lights:
            self._lights = dict(scene.lights)
            for body, link, color in scene.light_colors():
                self._renderer.recolor(body, link, color)
        if camera == "rgb_static":
            if size not in self._static:
                own = static_camera(size)
                self._static[size] = look.static(own) if look else own
            return self._renderer.render(self._static[size])
        own = gripper_camera(size, *robot.camera_pose())
        return self._renderer.render(look.gripper(own) if look else own)

    def _make_renderer(self, scene: Scene, floor: int) -> Any:
        from firsthand.rendering.pybullet_renderer import RasterRenderer, TinyRenderer

        if self._name == "tiny":
            return TinyRenderer(self._client)
        grain, paving = _skins(self._layout.finish)
        textures: Mapping[tuple[int, int], UInt8[np.ndarray, "_ _ 3"]] = {
            (scene.table, link): grain for link in (-1, *scene.wooden)
        }
        if self._look is None:
            return RasterRenderer(self._client, {**textures, (floor, -1): paving})
        return self._dressed(self._look, scene, floor)

    def _dressed(self, look: Look, scene: Scene, floor: int) -> Any:
        """Everything but the lamps, whose colours say whether they are on, gets another colour; all
        that is not a fixture of the desk's another surface as well."""
        from firsthand.rendering.pybullet_renderer import RasterRenderer

        lamps = {(body, link) for body, link, _ in scene.light_colors()}
        part_of = {body: "block" for body in scene.blocks.values()}
        part_of |= {scene.table: "desk", floor: "floor"}
        surfaces = {part: look.texture(part) for part in ("desk", "block", "floor", "robot")}
        wooden = {(scene.table, link) for link in (-1, *scene.wooden)}

        def painted(owner: tuple[int, int], own: Rgb) -> Rgb:
            part = part_of.get(owner[0], "robot")
            return own if owner in lamps else look.color(part, own)

        def covered(owner: tuple[int, int]) -> UInt8[np.ndarray, "_ _ 3"] | None:
            bare = owner[0] == scene.table and owner not in wooden
            return None if bare else surfaces[part_of.get(owner[0], "robot")]

        return RasterRenderer(
            self._client, covered, look.light, painted, look.background, self._meshes
        )


@cache
def _skins(finish: layouts.Finish) -> tuple[UInt8[np.ndarray, "_ _ 3"], UInt8[np.ndarray, "_ _ 3"]]:
    """The desk's wood and the floor's tiles; every world of a process shares them."""
    from firsthand.rendering.textures import tiles, wood

    dark = 1 - finish.contrast
    shade = (dark, dark * 0.97, dark * 0.94)  # what is darker in wood is also redder
    grain = wood(finish.grain, light=(1, 1, 1), dark=shade, count=finish.rings)
    return grain, tiles(0, color=(0.95, 0.95, 0.95), joint=(0.75, 0.75, 0.75))
