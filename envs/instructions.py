"""How people may ask for each task: sentences to train on, and others kept back for evaluation.

All sentences are the project's own. No sentence belongs to two tasks, and none that is held out
occurs in training, so that `HELD_OUT` measures whether words were understood.
"""

from typing import Literal

import numpy as np

Wording = Literal["training", "held_out"]

_DOORS_AND_LIGHTS_TRAINING: dict[str, tuple[str, ...]] = {
    "move_slider_left": (
        "slide the cabinet door over to the left",
        "take the door handle and move it left",
        "shift the sliding panel leftwards",
        "shove the door of the cabinet to its left end",
        "make the sliding door go left",
        "bring the panel all the way left",
        "the sliding door should be on the left, please move it there",
        "grab the handle of the slider and drag it to the left",
        "please slide the panel left",
        "open up the right half of the shelf by moving the door left",
        "nudge the cabinet panel toward the left side",
        "left with the sliding door",
    ),
    "move_slider_right": (
        "slide the cabinet door over to the right",
        "take the door handle and move it right",
        "shift the sliding panel rightwards",
        "shove the door of the cabinet to its right end",
        "make the sliding door go right",
        "bring the panel all the way right",
        "the sliding door should be on the right, please move it there",
        "grab the handle of the slider and drag it to the right",
        "please slide the panel right",
        "open up the left half of the shelf by moving the door right",
        "nudge the cabinet panel toward the right side",
        "right with the sliding door",
    ),
    "open_drawer": (
        "pull the drawer out of the desk",
        "get the drawer open",
        "please open the desk drawer",
        "tug on the drawer's handle until it is open",
        "draw the drawer toward you",
        "hook the handle and pull the drawer open",
        "slide out the drawer under the table top",
        "I need the drawer to be open",
        "reach for the drawer handle and pull it out",
        "make the drawer come out",
        "let me look inside the drawer, open it",
        "the drawer is shut, pull it open",
    ),
    "close_drawer": (
        "push the drawer back into the desk",
        "get the drawer shut",
        "please close the desk drawer",
        "press against the drawer's front until it is closed",
        "shove the drawer in",
        "slide the drawer back under the table top",
        "I need the drawer to be closed",
        "shut the drawer that sticks out",
        "reach for the drawer handle and push it in",
        "make the drawer go back in",
        "the drawer has been left open, close it",
        "move the drawer inward until it is shut",
    ),
    "turn_on_lightbulb": (
        "flip the switch up so that the bulb lights",
        "switch the light bulb on",
        "make the yellow bulb shine",
        "please turn the lamp on with the switch",
        "push the lever up to light the bulb",
        "light up the bulb",
        "the lamp is off, switch it on",
        "move the switch upward until the lamp glows",
        "give us some light from the bulb",
        "get the yellow light going",
        "raise the light switch to put the bulb on",
        "lamp on, please",
    ),
    "turn_off_lightbulb": (
        "flip the switch down so that the bulb goes dark",
        "switch the light bulb off",
        "make the yellow bulb stop shining",
        "please turn the lamp off with the switch",
        "push the lever down to put out the bulb",
        "extinguish the bulb",
        "the lamp is on, switch it off",
        "move the switch downward until the lamp is dark",
        "no more light from the bulb, please",
        "get rid of the yellow light",
        "lower the light switch to put the bulb off",
        "lamp off, please",
    ),
    "turn_on_led": (
        "tap the button so that the LED lights",
        "switch the LED on",
        "make the small green light shine",
        "please put the green LED on with the button",
        "push the button down to light the diode",
        "light up the LED",
        "the green light is off, press the button to get it on",
        "activate the LED with a press of the button",
        "give the button a push until the green light comes on",
        "get the green LED going",
        "touch the button and turn the diode on",
        "LED on, please",
    ),
    "turn_off_led": (
        "tap the button so that the LED goes dark",
        "switch the LED off",
        "make the small green light stop shining",
        "please put the green LED off with the button",
        "push the button down to put out the diode",
        "extinguish the LED",
        "the green light is on, press the button to get it off",
        "deactivate the LED with a press of the button",
        "give the button a push until the green light goes out",
        "get rid of the green light",
        "touch the button and turn the diode off",
        "LED off, please",
    ),
}

_DOORS_AND_LIGHTS_HELD_OUT: dict[str, tuple[str, ...]] = {
    "move_slider_left": (
        "pull the sliding door toward the left",
        "move the cabinet's door to the left hand side",
        "could you slide that panel to the left?",
    ),
    "move_slider_right": (
        "pull the sliding door toward the right",
        "move the cabinet's door to the right hand side",
        "could you slide that panel to the right?",
    ),
    "open_drawer": (
        "take hold of the drawer and open it",
        "could you pull out the drawer?",
        "have the drawer opened",
    ),
    "close_drawer": (
        "push in the drawer so that it closes",
        "could you shut the drawer?",
        "have the drawer closed",
    ),
    "turn_on_lightbulb": (
        "turn on the yellow light bulb",
        "could you switch on the lamp?",
        "use the lever so that the bulb is lit",
    ),
    "turn_off_lightbulb": (
        "turn off the yellow light bulb",
        "could you switch off the lamp?",
        "use the lever so that the bulb is no longer lit",
    ),
    "turn_on_led": (
        "turn on the green LED light",
        "could you switch on the diode with the button?",
        "press on the button to make the LED glow",
    ),
    "turn_off_led": (
        "turn off the green LED light",
        "could you switch off the diode with the button?",
        "press on the button to make the LED dark",
    ),
}

_PUSH_TRAINING = (
    "shove the {colour} block to the {side}",
    "make the {colour} block slide {side}",
    "move the {colour} block {side}wards along the table",
    "nudge the {colour} cube over to the {side}",
    "please push that {colour} block {side}",
    "the {colour} block should lie further {side}, push it",
    "use the gripper to push the {colour} block toward the {side} side",
    "give the {colour} cube a push to the {side}",
    "slide the {colour} one {side}",
    "shift the {colour} block a bit to the {side}",
    "push {side} against the {colour} block",
    "sweep the {colour} cube {side}ward",
)
_PUSH_HELD_OUT = (
    "drive the {colour} block toward the {side}",
    "could you move the {colour} cube to the {side}?",
    "get the {colour} block to go {side} by pushing it",
)
_LIFT_TRAINING = (
    "pick the {colour} block up off the table",
    "take the {colour} cube and raise it",
    "grab the {colour} block and hold it in the air",
    "hoist the {colour} block from the table top",
    "please pick up that {colour} cube",
    "lift the {colour} one off the table",
    "close the gripper on the {colour} block and raise it",
    "get hold of the {colour} block and bring it up",
    "raise the {colour} block above the table",
    "seize the {colour} cube on the table and lift it",
    "I want the {colour} block in the gripper, up in the air",
    "fetch the {colour} block up from the table",
)
_LIFT_HELD_OUT = (
    "grip the {colour} block on the table, then raise it up",
    "could you lift up the {colour} cube?",
    "take the {colour} block off the table",
)


def _with_blocks(
    doors_and_lights: dict[str, tuple[str, ...]], push: tuple[str, ...], lift: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """Sentences of every task, those about blocks filled in."""
    sentences = dict(doors_and_lights)
    for colour in ("red", "blue", "pink"):
        for side in ("left", "right"):
            sentences[f"push_{colour}_block_{side}"] = tuple(
                sentence.format(colour=colour, side=side) for sentence in push
            )
        sentences[f"lift_{colour}_block_table"] = tuple(
            sentence.format(colour=colour) for sentence in lift
        )
    return sentences


TRAINING = _with_blocks(_DOORS_AND_LIGHTS_TRAINING, _PUSH_TRAINING, _LIFT_TRAINING)
HELD_OUT = _with_blocks(_DOORS_AND_LIGHTS_HELD_OUT, _PUSH_HELD_OUT, _LIFT_HELD_OUT)


def choose(task: str, wording: Wording, rng: np.random.Generator) -> str:
    """A random sentence that asks for a task.

    Raises:
        KeyError: nobody knows how to ask for such a task.
    """
    sentences = (TRAINING if wording == "training" else HELD_OUT)[task]
    return sentences[rng.integers(len(sentences))]
