"""The four scenes as data: where each desk has its fixtures, how far they move, what it looks like.

Positions, ranges, block sizes and the colours of blocks and lamps are those of CALVIN's scenes A to
D (Mees et al. 2022); the desks' colours and wood are our own and differ between scenes about as
much as theirs do.
"""

import math
from dataclasses import dataclass

Number = float | int
Vector = tuple[Number, Number, Number]
Extent = tuple[Number, Number]

TABLE_TOP = 0.44  # metres above the floor
BLOCK_COLORS: dict[str, Vector] = {
    "block_red": (1.0, 0.0, 0.0),
    "block_blue": (0.0, 0.0, 1.0),
    "block_pink": (1.0, 0.0, 1.0),
}
BLOCK_SIZES: dict[str, Vector] = {
    "small": (0.04, 0.04, 0.04),
    "middle": (0.056, 0.04, 0.04),
    "big": (0.08, 0.04, 0.04),
}
LIGHT_OFF: Vector = (1.0, 1.0, 1.0)
LIGHT_ON: dict[str, Vector] = {"lightbulb": (1.0, 1.0, 0.0), "led": (0.0, 1.0, 0.0)}
SWITCH_CENTER: tuple[float, float] = (0.0385, 0.5165)  # y, z of the lever when it is down
SWITCH_AXIS: Vector = (0.0, 0.5, math.sqrt(0.75))  # up the console, which leans back by 30 degrees
SWITCH_TRAVEL = 0.088
DRAWER_TRAVEL = 0.22
BUTTON_TRAVEL = 0.02
BUTTON_THRESHOLD, SWITCH_THRESHOLD = BUTTON_TRAVEL / 2, SWITCH_TRAVEL / 2  # where lamps change


@dataclass(frozen=True)
class Finish:
    """What a scene's desk is made of: colours (red, green, blue) in 0..1, and the wood's grain.

    `body` is the carcass, `front` door and drawer, `inside` what opens to view. `grain` is the seed
    of the wood's texture, `rings` how many it has across, `contrast` how much darker they are.
    """

    body: Vector
    front: Vector
    inside: Vector
    handle: Vector
    grain: int
    rings: int
    contrast: float


@dataclass(frozen=True)
class DeskLayout:
    """Where a scene's fixtures are, as world x in metres, and which block has which size.

    `door` and `drawer` are the extents at joint position 0, `shelf` that of the cabinet's floor.
    Blocks begin an episode within `spawn_table`, `spawn_left` or `spawn_right` along x, and within
    `SPAWN_TABLE_Y` or `SPAWN_SHELF_Y`.

    `original` marks CALVIN's own desks and arm (`envs.calvin.env`): the cabinet leans back, its
    door is a lid on the shelf, and nothing keeps the arm's target near the tool.
    """

    name: str
    door: Extent
    door_travel: float
    shelf: Extent
    drawer: Extent
    button: float
    led: float
    switch: float
    bulb: float
    blocks: dict[str, str]
    spawn_table: Extent
    spawn_left: Extent
    spawn_right: Extent
    finish: Finish
    original: bool = False

    @property
    def drawer_bar(self) -> Extent:
        """The extent of the bar that the drawer is pulled by."""
        center = sum(self.drawer) / 2
        return center - 0.12, center + 0.12


def _blocks(red: str, blue: str, pink: str) -> dict[str, str]:
    return {"block_red": red, "block_blue": blue, "block_pink": pink}


LAYOUTS: dict[str, DeskLayout] = {
    "A": DeskLayout(
        name="A",
        door=(-0.105, 0.185),
        door_travel=0.28,
        shelf=(-0.364, 0.164),
        drawer=(-0.125, 0.325),
        button=-0.28,
        led=-0.28,
        switch=0.30,
        bulb=0.30,
        blocks=_blocks(red="middle", blue="big", pink="small"),
        spawn_table=(-0.20, 0.35),
        spawn_left=(-0.32, -0.16),
        spawn_right=(-0.05, 0.13),
        finish=Finish(
            body=(0.36, 0.25, 0.18), front=(0.27, 0.18, 0.13), inside=(0.60, 0.50, 0.40),
            handle=(0.30, 0.31, 0.33), grain=11, rings=9, contrast=0.40,
        ),
    ),
    "B": DeskLayout(
        name="B",
        door=(0.083, 0.373),
        door_travel=0.304,
        shelf=(-0.184, 0.344),
        drawer=(-0.045, 0.405),
        button=0.28,
        led=0.28,
        switch=-0.32,
        bulb=-0.32,
        blocks=_blocks(red="small", blue="big", pink="middle"),
        spawn_table=(-0.35, 0.15),
        spawn_left=(-0.12, 0.06),
        spawn_right=(0.15, 0.33),
        finish=Finish(
            body=(0.93, 0.84, 0.70), front=(0.88, 0.76, 0.58), inside=(0.95, 0.93, 0.88),
            handle=(0.80, 0.80, 0.80), grain=23, rings=4, contrast=0.16,
        ),
    ),
    "C": DeskLayout(
        name="C",
        door=(0.055, 0.345),
        door_travel=0.24,
        shelf=(-0.184, 0.344),
        drawer=(-0.125, 0.325),
        button=-0.12,
        led=-0.12,
        switch=-0.32,
        bulb=-0.32,
        blocks=_blocks(red="big", blue="small", pink="middle"),
        spawn_table=(0.0, 0.35),
        spawn_left=(-0.12, 0.06),
        spawn_right=(0.15, 0.30),
        finish=Finish(
            body=(0.70, 0.42, 0.25), front=(0.56, 0.30, 0.17), inside=(0.86, 0.76, 0.62),
            handle=(0.30, 0.31, 0.33), grain=37, rings=12, contrast=0.30,
        ),
    ),
    "D": DeskLayout(
        name="D",
        door=(-0.105, 0.185),
        door_travel=0.28,
        shelf=(-0.364, 0.164),
        drawer=(-0.045, 0.405),
        button=-0.12,
        led=-0.12,
        switch=0.30,
        bulb=0.30,
        blocks=_blocks(red="middle", blue="small", pink="big"),
        spawn_table=(0.0, 0.35),
        spawn_left=(-0.32, -0.16),
        spawn_right=(-0.05, 0.13),
        finish=Finish(
            body=(0.80, 0.64, 0.45), front=(0.47, 0.32, 0.21), inside=(0.90, 0.87, 0.80),
            handle=(0.33, 0.34, 0.37), grain=0, rings=6, contrast=0.18,
        ),
    ),
}  # fmt: skip

SPAWN_TABLE_Y: Extent = (-0.15, -0.03)
SPAWN_SHELF_Y: Extent = (0.05, 0.12)
SPAWN_Z = 0.46  # the centre of a block that lies on the desk or in the cabinet
