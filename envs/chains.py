"""Five instructions in a row: which chains make sense, and the layouts they begin from.

After CALVIN's long-horizon protocol (Mees et al. 2022): a symbolic state says roughly where things
are, every task has rules with a condition and an effect, and a chain is a row of tasks of different
categories in which each has exactly one rule that applies when its turn comes. Chains are drawn
from the tasks that exist in `envs.tasks`, by an own generator.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from envs.tasks import (
    BLOCKS,
    BULB,
    DRAWER,
    DRAWER_OPEN,
    LED,
    SCENE_SIZE,
    SLIDE,
    SLIDE_OPEN,
    SWITCH,
    SWITCH_ON,
    TASKS,
    block_slice,
)
from envs.trials import HOME, YAW

LENGTH = 5

# Where CALVIN puts blocks (m, scene D): two places on the table and one in each shelf compartment.
TABLE_PLACES = ((0.0500000896, -0.120000177, 0.459990009), (0.229995412, -0.11999514, 0.45999001))
SHELF_PLACES = {
    "slider_left": (-0.240851662, 0.0924044687, 0.460990009),
    "slider_right": (0.0703416330, 0.0924044687, 0.460990009),
}


class SymbolicState(NamedTuple):
    """The world in words. Blocks are on the "table", behind the "slider_left" or "slider_right"
    part of the shelf, or "grasped"."""

    led: int
    lightbulb: int
    slider: str
    drawer: str
    red_block: str
    blue_block: str
    pink_block: str
    grasped: int


@dataclass(frozen=True)
class Rule:
    """What must hold for a task to be given, and what holds when it is done."""

    condition: Mapping[str, int | str]
    effect: Mapping[str, int | str]

    def applies(self, state: SymbolicState) -> bool:
        return all(getattr(state, name) == value for name, value in self.condition.items())


@dataclass(frozen=True)
class Chain:
    """A row of tasks and the state in which the first is given."""

    index: int
    initial: SymbolicState
    tasks: tuple[str, ...]


def _rules() -> dict[str, tuple[Rule, ...]]:
    switches = [
        ("open_drawer", "drawer", "closed", "open"),
        ("close_drawer", "drawer", "open", "closed"),
        ("move_slider_left", "slider", "right", "left"),
        ("move_slider_right", "slider", "left", "right"),
        ("turn_on_lightbulb", "lightbulb", 0, 1),
        ("turn_off_lightbulb", "lightbulb", 1, 0),
        ("turn_on_led", "led", 0, 1),
        ("turn_off_led", "led", 1, 0),
    ]
    rules = {
        task: (Rule({name: before, "grasped": 0}, {name: after}),)
        for task, name, before, after in switches
    }
    for colour in ("red", "blue", "pink"):
        on_table = {f"{colour}_block": "table", "grasped": 0}
        for side in ("right", "left"):
            rules[f"push_{colour}_block_{side}"] = (Rule(on_table, {}),)
        lifted = {f"{colour}_block": "grasped", "grasped": 1}
        rules[f"lift_{colour}_block_table"] = (Rule(on_table, lifted),)
    return rules


RULES: dict[str, tuple[Rule, ...]] = _rules()


def follow(state: SymbolicState, task: str) -> SymbolicState | None:
    """The state after a task, or None when not exactly one of its rules applies."""
    applicable = [rule for rule in RULES[task] if rule.applies(state)]
    return state._replace(**applicable[0].effect) if len(applicable) == 1 else None


def initial_conditions() -> tuple[SymbolicState, ...]:
    """CALVIN's 192 starting conditions: one or two blocks on the table, the others in different
    compartments of the shelf, every setting of doors and lights."""
    places = ("table", "slider_right", "slider_left")
    states = product((0, 1), (0, 1), ("right", "left"), ("closed", "open"), *[places] * 3, (0,))
    return tuple(
        SymbolicState._make(state)
        for state in states
        if state.count("table") in (1, 2)
        and state.count("slider_right") <= 1
        and state.count("slider_left") <= 1
    )


def chains(n: int, seed: int = 0, length: int = LENGTH) -> tuple[Chain, ...]:
    """`n` chains; the first ones are the same whatever `n` is. Starting conditions take turns, in
    a new order every round; a chain is drawn uniformly from all that its condition allows.

    Raises:
        ValueError: a length that no chain of different categories can have.
    """
    return tuple(chain for _, chain in zip(range(n), _endless_chains(seed, length), strict=False))


def _endless_chains(seed: int, length: int) -> Iterator[Chain]:
    rng = np.random.default_rng(seed)
    conditions = [s for s in initial_conditions() if _count(s, frozenset(), length)]
    if not conditions:
        raise ValueError(f"no chain of {length} tasks has {length} different categories")
    index = 0
    while True:
        for which in rng.permutation(len(conditions)):
            initial = conditions[which]
            rank = int(rng.integers(_count(initial, frozenset(), length)))
            yield Chain(index, initial, _chain_of_rank(initial, length, rank))
            index += 1


def _steps(
    state: SymbolicState, used: frozenset[str]
) -> Iterator[tuple[str, SymbolicState, frozenset[str]]]:
    """Every task that can be given next, with what it leads to."""
    for name, task in TASKS.items():
        if task.category not in used and (after := follow(state, name)) is not None:
            yield name, after, used | {task.category}


@cache
def _count(state: SymbolicState, used: frozenset[str], length: int) -> int:
    """How many rows of `length` tasks can follow."""
    if length == 0:
        return 1
    return sum(_count(after, seen, length - 1) for _, after, seen in _steps(state, used))


def _chain_of_rank(initial: SymbolicState, length: int, rank: int) -> tuple[str, ...]:
    """The chain with `rank` others before it, in the order in which `_count` counts them."""
    names: list[str] = []
    state, used = initial, frozenset()
    for remaining in reversed(range(length)):
        for name, after, seen in _steps(state, used):
            below = _count(after, seen, remaining)
            if rank < below:
                names.append(name)
                state, used = after, seen
                break
            rank -= below
    return tuple(names)


def initial_layout(
    condition: SymbolicState,
) -> tuple[Float[np.ndarray, "15"], Float[np.ndarray, "24"]]:
    """The (robot_obs, scene_obs) of a starting condition in scene D. Which block lies where
    on the table, and how each is turned, is drawn from a seed made of the condition's words."""
    scene_obs = np.zeros(SCENE_SIZE)
    scene_obs[SLIDE] = SLIDE_OPEN if condition.slider == "left" else 0.0
    scene_obs[DRAWER] = DRAWER_OPEN if condition.drawer == "open" else 0.0
    scene_obs[BULB], scene_obs[LED] = condition.lightbulb, condition.led
    scene_obs[SWITCH] = SWITCH_ON if condition.lightbulb else 0.0
    rng = np.random.RandomState(fnv1(f"dict_values({list(condition)})"))  # noqa: NPY002
    places = [np.array(place) for place in TABLE_PLACES]
    rng.shuffle(places)
    where = (condition.red_block, condition.blue_block, condition.pink_block)
    second = {"block_red": False, "block_blue": where[0] == "table", "block_pink": True}
    for block, place in zip(BLOCKS, where, strict=True):
        pose = scene_obs[block_slice(block)]
        pose[:3] = places[second[block]] if place == "table" else SHELF_PLACES[place]
        pose[5] = rng.uniform(*YAW)
    return HOME.copy(), scene_obs


def fnv1(text: str) -> int:
    """32-bit FNV-1 hash (Fowler, Noll and Vo) of the UTF-16 bytes, starting from zero."""
    value = 0
    for byte in text.encode("utf-16-le"):
        value = (value * 0x01000193 & 0xFFFFFFFF) ^ byte
    return value
