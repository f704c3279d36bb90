"""A PlayTable in a chosen state, for the tests of the world."""

import numpy as np

from firsthand.envs.tasks.initial_states import HOME, initial_state

STILL = np.array([0, 0, 0, 0, 0, 0, 1.0])  # an action that asks for nothing, fingers open


def restore(env, **changes):
    """Resets to a layout in which the numbered entries of scene_obs are changed."""
    _, scene_obs = initial_state("lift_red_block_table", 0, 0)
    for index, value in changes.pop("scene", {}).items():
        scene_obs[index] = value
    return env.reset(options={"robot_obs": HOME, "scene_obs": scene_obs, **changes})
