"""Desks of the same kind as CALVIN's four, and none of them: other fixtures side by side."""

from dataclasses import replace

import numpy as np

from firsthand.envs.playtable.layouts import BLOCK_SIZES, LAYOUTS, DeskLayout, Extent

CABINETS, DRAWERS, BUTTONS = ("A", "B", "C"), ("A", "B"), ("A", "B", "C")  # whose fixtures
ALIKE = 0.05  # metres between fixtures up to which two desks count as the same
JITTER = 0.012  # metres by which each fixture is moved along x
EDGE = 0.40  # metres, x beyond which no block lies
BUTTON_ROOM, PUSH_ROOM = 0.075, 0.14  # metres kept to the button, to where blocks are pushed


def sample_layout(rng: np.random.Generator) -> DeskLayout:
    """A desk with the cabinet of one of CALVIN's scenes, the drawer of another, the button of a
    third, never as any of them has all three; everything is moved a little, and blocks have other
    sizes."""
    while True:
        cabinet, drawer, button = (
            LAYOUTS[str(rng.choice(names))] for names in (CABINETS, DRAWERS, BUTTONS)
        )
        chosen = np.array([cabinet.door[0], drawer.drawer[0], button.button])
        taken = [(known.door[0], known.drawer[0], known.button) for known in LAYOUTS.values()]
        if np.abs(chosen - taken).max(axis=1).min() > ALIKE:
            break
    beside, out, along = (float(value) for value in rng.uniform(-JITTER, JITTER, 3))
    return replace(
        cabinet,
        name="hands",
        door=_moved(cabinet.door, beside),
        shelf=_moved(cabinet.shelf, beside),
        spawn_left=_moved(cabinet.spawn_left, beside),
        spawn_right=_moved(cabinet.spawn_right, beside),
        drawer=_moved(drawer.drawer, out),
        button=button.button + along,
        led=button.led + along,
        spawn_table=button.spawn_table,
        blocks={name: str(rng.choice(list(BLOCK_SIZES))) for name in cabinet.blocks},
    )


def _moved(extent: Extent, by: float) -> Extent:
    return extent[0] + by, extent[1] + by


def free_stretches(layout: DeskLayout) -> list[Extent]:
    """Where along x the table stays free of everything that is done on it."""
    low, high = layout.spawn_table[0] - PUSH_ROOM, layout.spawn_table[1] + PUSH_ROOM
    button = layout.button
    stretches = [(-EDGE, min(low, button - BUTTON_ROOM)), (max(high, button + BUTTON_ROOM), EDGE)]
    return [(left, right) for left, right in stretches if right - left > 0.005]
