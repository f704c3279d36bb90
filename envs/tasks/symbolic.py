"""CALVIN's world in words: which tasks can be given when, and what holds when they are done.

The facts are those of CALVIN's long-horizon protocol (Mees et al. 2022): a symbolic state says
roughly where things are, and every task has rules with a condition and an effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations, product
from typing import NamedTuple

COLOURS = ("red", "blue", "pink")


class SymbolicState(NamedTuple):
    """Blocks are on the "table", behind the "slider_left" or "slider_right" part of the shelf, in
    the "drawer", "grasped", or "stacked_top" on one that is "stacked_bottom"."""

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
    """What must hold for a task to be given (any of the values named), and what holds after it."""

    condition: Mapping[str, tuple[int | str, ...]]
    effect: Mapping[str, int | str]

    def applies(self, state: SymbolicState) -> bool:
        return all(getattr(state, name) in values for name, values in self.condition.items())


def _rule(effect: Mapping[str, int | str], **condition: int | str | tuple[str, ...]) -> Rule:
    """A rule whose condition may name one value or several."""
    values = {name: v if isinstance(v, tuple) else (v,) for name, v in condition.items()}
    return Rule(values, effect)


def _grasped(colour: str, **condition: int | str) -> Rule:
    """A block is taken from where the condition says it is."""
    return _rule({f"{colour}_block": "grasped", "grasped": 1}, **condition, grasped=0)


def _rules() -> dict[str, tuple[int, tuple[Rule, ...]]]:
    """Category and rules of every task. The order is part of the protocol: chains are drawn by
    position."""
    blocks = {colour: f"{colour}_block" for colour in COLOURS}
    rules: dict[str, tuple[int, tuple[Rule, ...]]] = {}
    for verb in ("rotate", "push"):
        for colour, block in blocks.items():
            for side in ("right", "left"):
                lies = _rule({}, **{block: "table"}, grasped=0)
                rules[f"{verb}_{colour}_block_{side}"] = (1, (lies,))
    rules["move_slider_left"] = (2, (_rule({"slider": "left"}, slider="right", grasped=0),))
    rules["move_slider_right"] = (2, (_rule({"slider": "right"}, slider="left", grasped=0),))
    rules["open_drawer"] = (3, (_rule({"drawer": "open"}, drawer="closed", grasped=0),))
    rules["close_drawer"] = (3, (_rule({"drawer": "closed"}, drawer="open", grasped=0),))
    for colour, block in blocks.items():
        behind = (
            _grasped(colour, **{block: f"slider_{side}"}, slider=door)
            for side, door in (("left", "right"), ("right", "left"))
        )
        inside = _grasped(colour, **{block: "drawer"}, drawer="open")
        rules[f"lift_{block}_table"] = (4, (_grasped(colour, **{block: "table"}),))
        rules[f"lift_{block}_slider"] = (5, tuple(behind))
        rules[f"lift_{block}_drawer"] = (6, (inside,))
    # CALVIN calls it the compartment on the side where the door is, though the door hides that one.
    rules["place_in_slider"] = (7, tuple(
        _rule({block: f"slider_{side}", "grasped": 0}, **{block: "grasped"}, slider=side, grasped=1)
        for block in blocks.values()
        for side in ("right", "left")
    ))  # fmt: skip
    rules["place_in_drawer"] = (7, tuple(
        _rule({block: "drawer", "grasped": 0}, **{block: "grasped"}, drawer="open", grasped=1)
        for block in blocks.values()
    ))  # fmt: skip
    pairs = tuple(permutations(blocks.values(), 2))
    rules["stack_block"] = (10, tuple(
        _rule({top: "stacked_top", bottom: "stacked_bottom", "grasped": 0},
              **{top: "grasped", bottom: "table"}, grasped=1)
        for top, bottom in pairs
    ))  # fmt: skip
    rules["unstack_block"] = (11, tuple(
        _rule({top: "table", bottom: "table"},
              **{top: "stacked_top", bottom: "stacked_bottom"}, grasped=0)
        for top, bottom in pairs
    ))  # fmt: skip
    for light in ("lightbulb", "led"):
        for before, word in ((0, "on"), (1, "off")):
            rule = _rule({light: 1 - before}, **{light: before}, grasped=0)
            rules[f"turn_{word}_{light}"] = (8, (rule,))
    rules["push_into_drawer"] = (9, tuple(_pushed_in(block) for block in blocks.values()))
    return rules


def _pushed_in(block: str) -> Rule:
    """The only block on the table goes into the drawer."""
    others = {f"{colour}_block" for colour in COLOURS} - {block}
    shelved = {other: ("slider_right", "slider_left") for other in others}
    return _rule({block: "drawer"}, **{block: "table"}, **shelved, drawer="open", grasped=0)


_RULES = _rules()
RULES: dict[str, tuple[Rule, ...]] = {task: rules for task, (_, rules) in _RULES.items()}
CATEGORIES: dict[str, int] = {task: category for task, (category, _) in _RULES.items()}


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
