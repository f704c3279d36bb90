"""Which tokens a time step consists of, and who may look at whom: data, not arithmetic.

A step's *observed* tokens (instruction, state, pictures) are what the others may look at. Its
*query* tokens (action, future frames) look at everything observed up to and including their own
step and are looked at by nobody, not even themselves (GR-1, Wu et al. 2024), so that leaving one
out changes nothing else. (The idea of writing token groups and rules as data comes from octo.)
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class TokenGroup:
    name: str
    size: int


@dataclass(frozen=True)
class Layout:
    """The token groups of one time step, in order."""

    observed: tuple[TokenGroup, ...]
    queries: tuple[TokenGroup, ...]
    within_step: Literal["full", "causal"]

    @cached_property
    def observed_size(self) -> int:
        return sum(group.size for group in self.observed)

    @cached_property
    def query_size(self) -> int:
        return sum(group.size for group in self.queries)

    def mask(self, steps: int) -> Bool[Tensor, "n m"]:
        """Who (row) may look at whom (column) in a window of `steps` steps.

        Rows are all observed tokens of the window, step after step, then all query tokens; columns
        are the observed tokens alone, since no other token is ever looked at.
        """
        observed_step = torch.arange(steps).repeat_interleave(self.observed_size)
        query_step = torch.arange(steps).repeat_interleave(self.query_size)
        if self.within_step == "full":
            among_observed = observed_step[:, None] >= observed_step
        else:
            position = torch.arange(len(observed_step))
            among_observed = position[:, None] >= position
        return torch.cat([among_observed, query_step[:, None] >= observed_step])

    def split(
        self, outputs: Float[Tensor, "b n d"], steps: int
    ) -> dict[str, Float[Tensor, "b t _ d"]]:
        """The trunk's output by the name of its query group."""
        queries = outputs[:, steps * self.observed_size :].unflatten(1, (steps, self.query_size))
        parts = queries.split([group.size for group in self.queries], dim=2)
        return {group.name: part for group, part in zip(self.queries, parts, strict=True)}
