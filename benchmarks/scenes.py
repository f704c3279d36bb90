"""The four scenes from both cameras beside each other, as one picture.

    python -m firsthand.benchmarks.scenes docs/scenes.png
    python -m firsthand.benchmarks.scenes docs/looks.jpg

Every scene has two blocks on the desk and one in the cabinet, its door and drawer half way open;
the lamps are on in every other one. A JPEG shows random looks of starts in scene D instead.
"""

import sys
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from firsthand.common.atomic import whole_file
from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.playtable.layouts import (
    DRAWER_TRAVEL,
    LAYOUTS,
    SPAWN_SHELF_Y,
    SPAWN_Z,
    SWITCH_TRAVEL,
    DeskLayout,
)
from firsthand.envs.tasks.initial_states import HOME, initial_state
from firsthand.envs.tasks.tasks import TASKS

EDGE = 400  # pixels of a picture
CAPTION = 32
DESK_Y = -0.09  # metres, of the blocks that lie on the desk


def state(layout: DeskLayout, lit: bool) -> Float[np.ndarray, "24"]:
    """scene_obs: see the module."""
    scene_obs = np.zeros(24)
    scene_obs[:2] = layout.door_travel / 2, DRAWER_TRAVEL / 2
    scene_obs[3:6] = SWITCH_TRAVEL * lit, lit, lit
    low, high = layout.spawn_table
    desk = [(low + part * (high - low), DESK_Y) for part in (0.4, 0.9)]
    cabinet = (sum(layout.spawn_right) / 2, sum(SPAWN_SHELF_Y) / 2)
    for start, spot in zip((6, 12, 18), (*desk, cabinet), strict=True):
        scene_obs[start : start + 3] = *spot, SPAWN_Z
        scene_obs[start + 5] = np.pi / 8
    return scene_obs


def column(layout: DeskLayout, lit: bool) -> UInt8[np.ndarray, "h w 3"]:
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


def looks(rows: int = 3, columns: int = 5) -> UInt8[np.ndarray, "h w 3"]:
    """What begins in so many random looks, through both cameras."""
    world, lines = PlayTable("D", cameras={}, looks="random"), []
    for row in range(rows):
        pictures = []
        for column in range(columns):
            robot_obs, scene_obs = initial_state(list(TASKS)[7 * column % 34], row, 0)
            world.reset(options={"robot_obs": robot_obs, "scene_obs": scene_obs})
            seen = world.look({"rgb_static": EDGE // 2, "rgb_gripper": EDGE // 4})
            beside = np.full((EDGE // 2, EDGE // 4, 3), 255, np.uint8)
            beside[: EDGE // 4] = seen["rgb_gripper"].rgb
            pictures += [seen["rgb_static"].rgb, beside]
        lines.append(np.hstack(pictures))
    world.close()
    return np.vstack(lines)


def main(path: Path) -> None:
    """Write the picture."""
    if path.suffix == ".jpg":
        with whole_file(path) as draft:
            Image.fromarray(looks()).save(draft, "JPEG", quality=85)
        return
    columns = [column(layout, index % 2 == 1) for index, layout in enumerate(LAYOUTS.values())]
    with whole_file(path) as draft:
        Image.fromarray(np.concatenate(columns, axis=1)).save(draft, "PNG", optimize=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m firsthand.benchmarks.scenes PATH.png or .jpg")
    main(Path(sys.argv[1]))
