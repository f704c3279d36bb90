"""What a person says about what the hands do, and about what is there or is not.

The words are the project's own, and never a sentence of `envs.tasks.instructions` that is held out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firsthand.envs.tasks.instructions import CLOCK
from firsthand.envs.tasks.tasks import block_slice
from firsthand.synthetic.hands.look import BLOCK_COLORS
from firsthand.synthetic.hands.play import Deed, DeskPlay

# Plain form, -ing form, participle, what it is done to, and ways to end the sentence.
Wording = tuple[str, str, str, str, tuple[str, ...]]

PUT = ("put", "putting", "put")
TAKE = ("take", "taking", "taken")
PUSH = ("push", "pushing", "pushed")
SLIDE = ("slide", "sliding", "slid")
MOVE = ("move", "moving", "moved")
LIFT = ("lift", "lifting", "lifted")
PICK_UP = ("pick up", "picking up", "picked up")
GRAB = ("grab", "grabbing", "grabbed")
PLACE = ("place", "placing", "placed")
TURN = ("turn", "turning", "turned")
PRESS = ("press", "pressing", "pressed")
SIDES = ("to the {side}", "{side}")

WORDINGS: dict[str, tuple[Wording, ...]] = {
    "rotate": (
        (*TURN, "{block}", ("to the {side}", "{clock}")),
        ("rotate", "rotating", "rotated", "{block}", ("to the {side}", "{clock}")),
        ("spin", "spinning", "spun", "{block}", ("round to the {side}", "round {clock}")),
    ),
    "push": (
        (*PUSH, "{block}", SIDES),
        (*SLIDE, "{block}", SIDES),
        (*MOVE, "{block}", ("to the {side}", "a bit to the {side}")),
    ),
    "move_slider": (
        (*SLIDE, "{door}", SIDES),
        (*PUSH, "{door}", SIDES),
        (*MOVE, "{door}", SIDES),
    ),
    "open_drawer": (
        ("open", "opening", "opened", "{drawer}", ("",)),
        ("pull", "pulling", "pulled", "{drawer}", ("open", "out")),
    ),
    "close_drawer": (
        ("close", "closing", "closed", "{drawer}", ("", "again")),
        ("shut", "shutting", "shut", "{drawer}", ("",)),
        (*PUSH, "{drawer}", ("shut", "in")),
    ),
    "lift_table": (
        (*PICK_UP, "{block}", ("", "from the table", "from the desk")),
        (*LIFT, "{block}", ("up", "from the table")),
        (*TAKE, "{block}", ("from the table", "in my hand")),
        (*GRAB, "{block}", ("", "from the desk")),
    ),
    "lift_slider": (
        (*PICK_UP, "{block}", ("from the shelf", "in the cabinet")),
        (*LIFT, "{block}", ("out of the cabinet", "from the shelf")),
        (*TAKE, "{block}", ("out of the cabinet", "from behind the door")),
        (*GRAB, "{block}", ("from the shelf",)),
    ),
    "lift_drawer": (
        (*PICK_UP, "{block}", ("from the drawer", "in the drawer")),
        (*LIFT, "{block}", ("out of the drawer",)),
        (*TAKE, "{block}", ("out of the drawer", "from the drawer")),
        (*GRAB, "{block}", ("in the drawer",)),
    ),
    "place_in_slider": (
        (*PUT, "{block}", ("in the cabinet", "on the shelf", "behind the door")),
        (*PLACE, "{block}", ("in the cabinet", "on the shelf")),
        ("store", "storing", "stored", "{block}", ("in the cabinet",)),
    ),
    "place_in_drawer": (
        (*PUT, "{block}", ("in the drawer", "into the drawer")),
        (*PLACE, "{block}", ("in the drawer",)),
        ("drop", "dropping", "dropped", "{block}", ("into the drawer",)),
    ),
    "stack_block": (
        (*PUT, "{block}", ("on top of {other}", "on {other}")),
        ("stack", "stacking", "stacked", "{block}", ("on {other}", "on top of {other}")),
        (*PLACE, "{block}", ("on {other}",)),
    ),
    "unstack_block": (
        (*TAKE, "{block}", ("off {other}", "down from {other}")),
        (*PUSH, "{block}", ("off {other}", "down from {other}")),
        ("unstack", "unstacking", "unstacked", "{block}", ("from {other}",)),
    ),
    "push_into_drawer": (
        (*PUSH, "{block}", ("into the drawer", "over the edge into the drawer")),
        (*SLIDE, "{block}", ("off the table into the drawer", "into the drawer")),
        ("knock", "knocking", "knocked", "{block}", ("into the drawer",)),
    ),
    "turn_on_lightbulb": (
        ("turn on", "turning on", "turned on", "{bulb}", ("", "with the switch")),
        ("switch on", "switching on", "switched on", "{bulb}", ("",)),
        (*PUSH, "the switch", ("up for {bulb}", "up to turn on {bulb}")),
    ),
    "turn_off_lightbulb": (
        ("turn off", "turning off", "turned off", "{bulb}", ("", "with the switch")),
        ("switch off", "switching off", "switched off", "{bulb}", ("",)),
        (*PUSH, "the switch", ("down to turn off {bulb}",)),
    ),
    "turn_on_led": (
        ("turn on", "turning on", "turned on", "{led}", ("", "with the button")),
        ("switch on", "switching on", "switched on", "{led}", ("",)),
        (*PRESS, "the button", ("for {led}", "to turn on {led}")),
    ),
    "turn_off_led": (
        ("turn off", "turning off", "turned off", "{led}", ("", "with the button")),
        ("switch off", "switching off", "switched off", "{led}", ("",)),
        (*PRESS, "the button", ("to turn off {led}",)),
    ),
}
# {0} to {4}: the parts of a wording.
FRAMES: tuple[str, ...] = (
    "I'm {1} {3} {4}",
    "I'm {1} {3} {4}",
    "now I {0} {3} {4}",
    "now I'm {1} {3} {4}",
    "now {3} gets {2} {4}",
    "{3} is being {2} {4}",
    "{1} {3} {4}",
    "let me {0} {3} {4}",
    "I'm going to {0} {3} {4}",
    "okay, {1} {3} {4}",
    "so I {0} {3} {4}",
    "next {3} gets {2} {4}",
)
MISSING: tuple[str, ...] = (
    "where did I put {block}",
    "I can't see {block}",
    "{block} isn't here",
    "I wonder where {block} is",
    "{block} must be somewhere else",
    "did somebody take {block}",
)
THERE: tuple[str, ...] = (
    "there is {block}",
    "I can see {block}",
    "here is {block}",
    "{block} is right there",
    "{block} can stay where it is",
)
NAMES = {
    "door": ("the door", "the sliding door", "the cabinet door", "the panel"),
    "drawer": ("the drawer", "the drawer", "the desk drawer"),
    "bulb": ("the light bulb", "the lamp", "the bulb", "the yellow lamp"),
    "led": ("the LED", "the green light", "the green LED"),
}
NOUNS = ("block", "block", "block", "cube", "one")
ABSENT_SHARE = 0.6  # of the remarks in pauses, which are about one in six of all that is said


@dataclass(frozen=True)
class Remark:
    """What was said between two frames: about a `task` or none, naming a thing (a block by its
    colour, or a fixture) that is `present` or not there at all."""

    first: int
    last: int
    text: str
    task: str | None
    named: str
    present: bool


def narrate(play: DeskPlay, colors: Sequence[str], rng: np.random.Generator) -> tuple[Remark, ...]:
    """A sentence about every deed. `colors` are those of all blocks, first of those played with."""
    return tuple(
        _of_pause(deed, colors, rng) if deed.task is None else _of_deed(play, deed, colors, rng)
        for deed in play.deeds
    )


def _of_deed(play: DeskPlay, deed: Deed, colors: Sequence[str], rng: np.random.Generator) -> Remark:
    assert deed.task is not None
    kind, side = kind_of(deed.task), deed.task.split("_")[-1]
    named = {"move_slider": "slider", "open_drawer": "drawer", "close_drawer": "drawer"}.get(kind)
    words = {key: str(rng.choice(names)) for key, names in NAMES.items()}
    if "lightbulb" in kind or "led" in kind.split("_"):
        named = kind.split("_")[-1]
    if named is None:
        block, other = _blocks(play, deed)
        named = colors[block]
        words |= {"block": _call(named, rng), "other": _call(colors[other], rng)}
    choices = WORDINGS[kind]
    *forms, thing, ends = choices[rng.integers(len(choices))]
    sentence = str(rng.choice(FRAMES)).format(*forms, thing, str(rng.choice(ends)))
    text = sentence.format(side=side, clock=CLOCK.get(side, ""), **words).strip()
    return Remark(deed.first, deed.last, text, deed.task, named, True)


def _of_pause(deed: Deed, colors: Sequence[str], rng: np.random.Generator) -> Remark:
    present = bool(rng.random() > ABSENT_SHARE)
    missing = [color for color in BLOCK_COLORS if color not in colors]
    named = str(rng.choice(colors if present else missing))
    text = str(rng.choice(THERE if present else MISSING)).format(block=_call(named, rng))
    return Remark(deed.first, deed.last, text, None, named, present)


def kind_of(task: str) -> str:
    """The key in `WORDINGS` of a task: those that differ in colour or side alone share one."""
    words = task.split("_")
    if words[0] == "lift":
        return f"lift_{words[-1]}"
    if words[-1] in CLOCK:
        return "move_slider" if words[1] == "slider" else words[0]
    return task


def _blocks(play: DeskPlay, deed: Deed) -> tuple[int, int]:
    """Which block a deed was about, which is the one that moved most, and which is nearest to it in
    the end, or where it was taken from one, at the start."""
    first, last = (
        np.stack([play.scene[frame, block_slice(name)][:3] for name in play.blocks])
        for frame in (deed.first, deed.last)
    )
    words = str(deed.task).split("_")
    if len(words) > 2 and f"block_{words[1]}" in play.blocks:
        block = play.blocks.index(f"block_{words[1]}")
    else:
        block = int(np.linalg.norm(last - first, axis=1).argmax())
    there = first if deed.task == "unstack_block" else last
    away = np.linalg.norm(there[:, :2] - there[block, :2], axis=1)
    away[block] = np.inf
    return block, int(away.argmin())


def _call(color: str, rng: np.random.Generator) -> str:
    return f"the {color} {rng.choice(NOUNS)}"
