"""Carrying what was learned by watching over to a policy that will act."""

from collections.abc import Mapping

import torch
from torch import Tensor

from policy.policy import Policy


@torch.no_grad()
def start_from(policy: Policy, weights: Mapping[str, Tensor]) -> None:
    """Give `policy` the weights of another policy of the same architecture.

    A time embedding for more frames than `policy` looks at gives its first rows.

    Raises:
        ValueError: weights are missing, too many or of another shape, each by name.
    """
    mine = policy.state_dict()
    time = "embed_time.weight"
    given = dict(weights)
    if time in given and len(given[time]) > len(mine[time]):
        given[time] = given[time][: len(mine[time])]
    wrong = [f"missing {name}" for name in sorted(mine.keys() - given.keys())]
    wrong += [f"unknown {name}" for name in sorted(given.keys() - mine.keys())]
    wrong += [
        f"{name} is {tuple(given[name].shape)}, not {tuple(mine[name].shape)}"
        for name in sorted(mine.keys() & given.keys())
        if mine[name].shape != given[name].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ValueError(f"the pretrained policy does not fit: {'; '.join(wrong[:5])}{more}")
    policy.load_state_dict(given)
