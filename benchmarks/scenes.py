"""The four scenes from both cameras beside each other, as one picture.

    python -m benchmarks.scenes docs/scenes.png

Every scene has a block on the desk and one on each side of the cabinet, its door half way, its
drawer as far out as in the other three, its lamps on in every other scene.
"""

import os
import sys
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from envs.playtable import PlayTable
from envs.table import DRAWER_TRAVEL, LAYOUTS, SPAWN_SHELF_Y, SPAWN_Z, SWITCH_TRAVEL, Layout
from envs.trials import HOME

EDGE = 400  # pixels of a picture
CAPTION = 32
DESK_Y = -0.09  # metres, of the block that lies on the desk


def state(layout: Layout, lit: bool) -> Float[np.ndarray, "24"]:
    """scene_obs: see the module."""
    scene_obs = np.zeros(24)
    scene_obs[:2] = layout.door_travel / 2, DRAWER_TRAVEL / 2
    scene_obs[3:6] = SWITCH_TRAVEL * lit, lit, lit
    shelf = sum(SPAWN_SHELF_Y) / 2
    spots = ((layout.spawn_table, DESK_Y), (layout.spawn_left, shelf), (layout.spawn_right, shelf))
    for start, (across, y) in zip((6, 12, 18), spots, strict=True):
        scene_obs[start : start + 3] = sum(across) / 2, y, SPAWN_Z
        scene_obs[start + 5] = np.pi / 8
    return scene_obs


def column(layout: Layout, lit: bool) -> UInt8[np.ndarray, "h w 3"]:
    """A caption, the static camera's picture, the gripper camera's."""
    world = PlayTable(layout.name, cameras={})
    world.reset(options={"robot_obs": HOME, "scene_obs": state(layout, lit)})
    pictures = world.look({"rgb_static": EDGE, "rgb_gripper": EDGE})
    world.close()
    caption = Image.new("RGB", (EDGE, CAPTION), "white")
    font = ImageFont.load_default(20)
    middle = (EDGE // 2, CAPTION // 2)
    ImageDraw.Draw(caption).text(middle, f"scene {layout.name}", "black", font, anchor="mm")
    return np.concatenate([np.asarray(caption), *(picture.rgb for picture in pictures.values())])


def main(path: Path) -> None:
    """Write the picture."""
    columns = [column(layout, index % 2 == 1) for index, layout in enumerate(LAYOUTS.values())]
    partial = path.with_name(f".{path.name}")
    Image.fromarray(np.concatenate(columns, axis=1)).save(partial, "PNG", optimize=True)
    os.replace(partial, path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.scenes PATH.png")
    main(Path(sys.argv[1]))
