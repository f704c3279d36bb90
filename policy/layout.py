"""Which tokens a time step consists of, and which may attend to which: data, not arithmetic.

A step's *observed* tokens (instruction, state, images) are what the others may attend to. Its
*query* tokens (action, future frames) attend to everything observed up to and including their own
step, and nothing attends to them, not even themselves (GR-1, Wu et al. 2024), so that leaving one
out changes nothing else. (The idea of writing token groups and rules as data comes from octo.)

The order of tokens is the same everywhere: all observed tokens, step after step, then the query
tokens of the last `query_steps` steps (None: of all), step after step.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
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

    def mask(
        self, steps: int, window: int | None = None, query_steps: int | None = None
    ) -> Bool[Tensor, "n m"]:
        """Which token (row) may attend to which (column) in a sequence of `steps` steps.

        Rows are all tokens; columns are the observed tokens alone, since nothing attends to others.
        A token attends to its own step and the `window` - 1 steps before it (None: all).
        """
        frames = self.frames(steps, query_steps)
        keys = frames[: steps * self.observed_size]
        seen = frames[:, None] >= keys
        if window is not None:
            seen &= frames[:, None] - keys < window
        if self.within_step == "causal":
            order = torch.arange(len(keys))
            seen[: len(keys)] &= order[:, None] >= order
        return seen

    def attention_mask(
        self, valid: Bool[Tensor, "b t"], window: int | None = None, query_steps: int | None = None
    ) -> Bool[Tensor, "b 1 n m"] | None:
        """`mask` for a batch, without its padded frames. None if every token attends to all.

        A row that would attend to nothing, deep in the padding of a long sequence, attends to the
        padding: its output counts nowhere, but it must be a number.
        """
        steps = valid.shape[1]
        if steps == 1 and self.within_step == "full":
            return None
        real = valid.repeat_interleave(self.observed_size, dim=1)
        allowed = self.mask(steps, window, query_steps).to(valid.device)
        seen = allowed & real[:, None]
        return (seen | (allowed & ~seen.any(dim=-1, keepdim=True)))[:, None]

    def frames(self, steps: int, query_steps: int | None = None) -> Int[Tensor, " n"]:
        """The step every token belongs to."""
        step = torch.arange(steps)
        first = 0 if query_steps is None else steps - query_steps
        queries = step[first:].repeat_interleave(self.query_size)
        return torch.cat([step.repeat_interleave(self.observed_size), queries])

    def position_ids(
        self, steps: int, full_layout: "Layout", query_steps: int | None = None
    ) -> Int[Tensor, " n"]:
        """Where every token stands when all steps of `full_layout` are written one after another,
        each its observed tokens and then its queries.

        `full_layout` has every group there can be: a token keeps its position whatever is left out.

        Raises:
            ValueError: `full_layout` lacks one of the groups.
        """
        starts, start = {}, 0
        for group in full_layout.observed + full_layout.queries:
            starts[group.name] = start
            start += group.size
        if missing := [g.name for g in self.observed + self.queries if g.name not in starts]:
            raise ValueError(f"the full layout has no {', '.join(missing)}; it has {list(starts)}")

        def positions(groups: tuple[TokenGroup, ...]) -> Int[Tensor, " k"]:
            numbers = [starts[g.name] + i for g in groups for i in range(g.size)]
            return torch.tensor(numbers, dtype=torch.long)

        first = 0 if query_steps is None else steps - query_steps
        within = torch.cat(
            [positions(self.observed).repeat(steps), positions(self.queries).repeat(steps - first)]
        )
        return within + start * self.frames(steps, query_steps)

    def split(
        self, outputs: Float[Tensor, "b n d"], steps: int
    ) -> dict[str, Float[Tensor, "b t _ d"]]:
        """The trunk's output at the queries of `steps` steps by the name of their group."""
        queries = outputs.unflatten(1, (steps, self.query_size))
        parts = queries.split([group.size for group in self.queries], dim=2)
        return {group.name: part for group, part in zip(self.queries, parts, strict=True)}
