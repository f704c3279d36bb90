"""A policy written for CALVIN's own evaluation, plugged in by its Python path.

CALVIN asks a model for `reset()` and `step(observation, goal)`; Firsthand asks a policy for
`reset(instruction)` and `select_action(observation)`. `FromCalvin` is all that lies between. From
the project's root:

    firsthand evaluate actor=examples.calvin_model:press_button what=tasks \\
        tasks=[turn_on_led,turn_off_led,open_drawer] trials=10

The model here is not learned, so that the example runs anywhere: it presses the button of scene D
whenever the sentence is about the LED, and otherwise waits. Put your own in its place.
"""

from typing import Any

import numpy as np

BUTTON = np.array([-0.12, -0.12, 0.45])  # metres, the position of the tool when it is pressed
ABOVE = np.array([0.0, 0.0, 0.15])


class PressButton:
    """Stands for a model from elsewhere: a raw observation and a sentence in, an action out."""

    def reset(self) -> None:
        self.coming = True

    def step(self, observation: dict[str, Any], goal: str) -> np.ndarray:
        action = np.zeros(7)
        action[6] = -1  # closed fingers press better
        if any(word in goal.lower().split() for word in ("led", "diode", "button")):
            tool = observation["robot_obs"][:3]
            target = BUTTON + ABOVE if self.coming else BUTTON
            self.coming = self.coming and bool(np.linalg.norm(target - tool) > 0.015)
            action[:3] = np.clip(
                (target - tool) / 0.06, -1, 1
            )  # 2 cm a control step, three of them
        return action


class FromCalvin:
    """A model of CALVIN's kind as a policy of Firsthand's.

    `control_hz` is the rate at which the model wants to act: 30 for one trained on CALVIN's data
    set. The world repeats each action until the next.
    """

    def __init__(self, model: Any, control_hz: float) -> None:
        self.model = model
        self.control_hz = control_hz

    def reset(self, instruction: str) -> None:
        self.instruction = instruction
        self.model.reset()

    def select_action(self, observation: dict[str, Any]) -> np.ndarray:
        return self.model.step(observation, self.instruction)


def press_button() -> FromCalvin:
    """What `actor=` names: called once in every worker process."""
    return FromCalvin(PressButton(), control_hz=10)
