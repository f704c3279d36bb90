"""The order of the blocks in scene_obs: red, blue, pink everywhere here, another one in CALVIN.

The original keeps the order in which a scene's configuration names its blocks: pink, blue, red in
scene A and blue, red, pink in C.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from firsthand.common.errors import UserError
from firsthand.envs.tasks.tasks import BLOCKS

_FIRST = 6  # entries of scene_obs before the blocks; each block has as many


class BlockOrder:
    """Converts scene_obs between our order and that of `names`.

    Raises:
        UserError: `names` are not the three blocks.
    """

    def __init__(self, names: Sequence[str]) -> None:
        if sorted(names) != sorted(BLOCKS):
            raise UserError(f"the scene has the blocks {list(names)}, not {list(BLOCKS)}")
        self._here = [names.index(block) for block in BLOCKS]
        self._there = [BLOCKS.index(name) for name in names]

    def to_ours(self, scene_obs: Float[np.ndarray, "24"]) -> Float[np.ndarray, "24"]:
        """scene_obs with the blocks red, blue, pink."""
        return _permuted(scene_obs, self._here)

    def to_original(self, scene_obs: Float[np.ndarray, "24"]) -> Float[np.ndarray, "24"]:
        """scene_obs with the blocks as `names` has them."""
        return _permuted(scene_obs, self._there)


def _permuted(scene_obs: Float[np.ndarray, "24"], order: list[int]) -> Float[np.ndarray, "24"]:
    blocks = scene_obs[_FIRST:].reshape(len(order), -1)[order]
    return np.concatenate([scene_obs[:_FIRST], blocks.reshape(-1)])
