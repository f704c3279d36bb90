"""What is said about what the hand does: a sentence an event, worded as to a child."""

from collections.abc import Sequence

import numpy as np

from firsthand.synthetic.nursery.simulation import Event

# A verb's wordings: plain form, third person, -ing form, and the rest. {x} is the thing, {o} the
# other thing, {way} the direction.
Wording = tuple[str, str, str, str]

WAYS: dict[str, tuple[str, ...]] = {
    "left": ("to the left", "left", "towards the left"),
    "right": ("to the right", "right", "towards the right"),
    "away": ("away", "forward", "to the back"),
    "closer": ("closer", "this way", "towards us"),
}
WORDINGS: dict[str, tuple[Wording, ...]] = {
    "push": (
        ("push", "pushes", "pushing", "{x} {way}"),
        ("slide", "slides", "sliding", "{x} {way}"),
        ("move", "moves", "moving", "{x} {way}"),
    ),
    "pull": (
        ("pull", "pulls", "pulling", "{x} {way}"),
        ("bring", "brings", "bringing", "{x} {way}"),
    ),
    "roll": (("roll", "rolls", "rolling", "{x} {way}"),),
    "lift": (
        ("lift", "lifts", "lifting", "{x}"),
        ("pick up", "picks up", "picking up", "{x}"),
        ("lift", "lifts", "lifting", "{x} up"),
        ("take", "takes", "taking", "{x}"),
    ),
    "put": (
        ("put", "puts", "putting", "{x} down"),
        ("put", "puts", "putting", "{x} on the table"),
        ("place", "places", "placing", "{x} on the table"),
    ),
    "drop": (("drop", "drops", "dropping", "{x}"), ("let", "lets", "letting", "{x} fall")),
    "shake": (("shake", "shakes", "shaking", "{x}"),),
    "show": (
        ("show", "shows", "showing", "{x}"),
        ("hold up", "holds up", "holding up", "{x}"),
        ("bring", "brings", "bringing", "{x} up close"),
    ),
    "spin": (("spin", "spins", "spinning", "{x}"), ("turn", "turns", "turning", "{x} around")),
    "stack": (
        ("put", "puts", "putting", "{x} on top of {o}"),
        ("stack", "stacks", "stacking", "{x} on {o}"),
    ),
    "behind": (
        ("hide", "hides", "hiding", "{x} behind {o}"),
        ("put", "puts", "putting", "{x} behind {o}"),
    ),
    "under": (
        ("hide", "hides", "hiding", "{x} under {o}"),
        ("cover", "covers", "covering", "{x} with {o}"),
    ),
    "reveal": (
        ("find", "finds", "finding", "{x} under {o}"),
        ("uncover", "uncovers", "uncovering", "{x}"),
    ),
    "look": (("look at", "looks at", "looking at", "{x}"),),
    "open": (("open", "opens", "opening", "{x}"), ("pull", "pulls", "pulling", "{x} open")),
    "close": (("close", "closes", "closing", "{x}"), ("push", "pushes", "pushing", "{x} shut")),
    "slide": (
        ("slide", "slides", "sliding", "{x} {way}"),
        ("push", "pushes", "pushing", "{x} {way}"),
    ),
    "turn on": (
        ("turn on", "turns on", "turning on", "{x}"),
        ("switch on", "switches on", "switching on", "{x}"),
        ("press", "presses", "pressing", "the button to turn on {x}"),
    ),
    "turn off": (
        ("turn off", "turns off", "turning off", "{x}"),
        ("switch off", "switches off", "switching off", "{x}"),
        ("press", "presses", "pressing", "the button to turn off {x}"),
    ),
}
# {0}, {1}, {2}: plain form, third person, -ing form; {3}: the rest of the wording.
FRAMES: tuple[tuple[str, float], ...] = (
    ("{0} {3}", 6.0),
    ("the hand {1} {3}", 1.5),
    ("{2} {3}", 1.0),
    ("let's {0} {3}", 1.0),
    ("now we {0} {3}", 1.0),
    ("can you {0} {3}?", 1.0),
    ("look, {2} {3}!", 0.7),
    ("see, mommy {1} {3}", 0.4),
)


def call(name: str, names: Sequence[str], rng: np.random.Generator) -> str:
    """A thing's name with as many of its adjectives as it takes to tell it from the others.

    Sometimes with all of them, never with too few: "the ball" where there is one ball.
    """
    words = name.split()
    short = [" ".join([*words[i:-1], words[-1]]) for i in range(len(words) - 1, -1, -1)]
    unique = [
        part for part in short if sum(f" {other}".endswith(f" {part}") for other in names) == 1
    ]
    colored = [part for part in unique if len(part.split()) > 1] or unique
    choice = colored if rng.random() < 0.75 else unique
    return "the " + (choice[0] if rng.random() < 0.8 else choice[-1])


def sentence(event: Event, names: Sequence[str], rng: np.random.Generator) -> str:
    """Say what happens. `names` are the full names of all toys on the table."""
    verb = "pull" if event.way == "closer" else event.way if event.verb == "hide" else event.verb
    wordings = WORDINGS[verb]
    plain, third, ing, rest = wordings[rng.integers(len(wordings))]
    frames, weights = zip(*FRAMES, strict=True)
    frame = frames[rng.choice(len(frames), p=np.array(weights) / sum(weights))]
    ways = WAYS.get(event.way, ("",))
    way = ways[0] if rng.random() < 0.6 else ways[rng.integers(len(ways))]
    thing = call(event.thing, names, rng) if event.thing in names else f"the {event.thing}"
    other = call(event.other, names, rng) if event.other in names else f"the {event.other}"
    text = frame.format(plain, third, ing, rest)
    return text.format(x=thing, o=other, way=way)
