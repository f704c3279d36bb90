"""Which plan belongs to which task."""

from collections.abc import Callable
from functools import partial

from firsthand.envs.experts.blocks import lift_block, push_block, rotate_block
from firsthand.envs.experts.fixtures import (
    close_drawer,
    move_slider,
    move_switch,
    open_drawer,
    press_button,
)
from firsthand.envs.experts.placing import (
    place_in_drawer,
    place_in_slider,
    push_into_drawer,
    stack_block,
    unstack_block,
)
from firsthand.envs.experts.world_view import Waypoint, WorldView
from firsthand.envs.tasks.tasks import COLOURS

Plan = Callable[[WorldView], list[Waypoint]]

PLANS: dict[str, Plan] = {
    "open_drawer": open_drawer,
    "close_drawer": close_drawer,
    "move_slider_left": partial(move_slider, direction=-1.0),
    "move_slider_right": partial(move_slider, direction=1.0),
    "turn_on_lightbulb": partial(move_switch, up=True),
    "turn_off_lightbulb": partial(move_switch, up=False),
    "turn_on_led": press_button,
    "turn_off_led": press_button,
    "place_in_slider": place_in_slider,
    "place_in_drawer": place_in_drawer,
    "stack_block": stack_block,
    "unstack_block": unstack_block,
    "push_into_drawer": push_into_drawer,
}
for _colour in COLOURS:
    _name = f"block_{_colour}"
    for _side, _sign in (("left", 1.0), ("right", -1.0)):
        PLANS[f"rotate_{_colour}_block_{_side}"] = partial(rotate_block, name=_name, sense=_sign)
        PLANS[f"push_{_colour}_block_{_side}"] = partial(push_block, name=_name, direction=-_sign)
    for _place in ("table", "slider", "drawer"):
        PLANS[f"lift_{_colour}_block_{_place}"] = partial(lift_block, name=_name, place=_place)
