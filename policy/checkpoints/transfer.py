"""Pretrained weights as the start of a policy that will act. (Apart from `storage`, which knows no
`Policy`.)"""

from collections.abc import Mapping

import torch
from torch import Tensor

from firsthand.policy.checkpoints.state_dict import shape_mismatches, shapes_of
from firsthand.policy.policy import Policy

_HEADS = "narration."


@torch.no_grad()
def start_from(policy: Policy, weights: Mapping[str, Tensor]) -> None:
    """Give `policy` the weights of another policy of the same architecture.

    A time embedding for more frames than `policy` has in its window gives its first rows. The heads
    that only video's narration needs (`policy.modules.narration`) may be missing, and are then as
    they were, or too many.

    Raises:
        ValueError: weights are missing, too many or of another shape, each by name.
    """
    mine = policy.state_dict()
    time = "embed_time.weight"
    given = {name: value for name, value in weights.items() if not name.startswith(_HEADS)}
    given |= {name: weights.get(name, mine[name]) for name in mine if name.startswith(_HEADS)}
    if time in given and len(given[time]) > len(mine[time]):
        given[time] = given[time][: len(mine[time])]
    if wrong := shape_mismatches(shapes_of(given), shapes_of(mine)):
        raise ValueError(f"the pretrained policy does not fit: {wrong}")
    policy.load_state_dict(given)
