"""Worlds to act in: the PlayTable environment, its tasks, experts and evaluation.

Importing this package registers `firsthand/PlayTable-v0` with gymnasium and starts no physics.
"""

from gymnasium.envs.registration import register, registry

PLAYTABLE = "firsthand/PlayTable-v0"

if PLAYTABLE not in registry:
    register(
        id=PLAYTABLE,
        entry_point="firsthand.envs.playtable.env:PlayTable",
        disable_env_checker=True,  # it rejects the empty `rgb_obs` of worlds without cameras
    )
