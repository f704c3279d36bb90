"""What is said about a video, tied to what is seen in it: where is the thing that a sentence names?

A policy that has only predicted pixels knows what moves, not what it is called. Narrated video says
both: what a sentence is about is somewhere among what has changed by its end. Three losses teach
that, without boxes, states or actions:

- a contrastive one between sentences and pictures (CVCL, Vong et al. 2024; CLIP's symmetric form),
  in which the strongest of the places that will have changed speaks for a picture. What changes
  under every sentence, a hand, tells no sentence from another; what it moves does;
- the pool's maps are drawn to the place that this comparison finds for a sentence among what will
  have changed (the E-step of multiple-instance learning: the changed places are the bag);
- and the action query's output is to tell that place by row and column, so that where the named
  thing is gets as far as what acts.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from firsthand.policy.config import NarrationConfig


class NarrationLosses(NamedTuple):
    """Means over the frames that have a future."""

    contrastive: Float[Tensor, ""]
    attention: Float[Tensor, ""]
    pointing: Float[Tensor, ""]


class NarrationHeads(nn.Module):
    """The parts that only these losses need: a sentence's and a place's vectors to compare, and the
    place that an action query's output tells.

    cells: rows, and columns, of the image encoder's grid.
    """

    def __init__(
        self,
        config: NarrationConfig,
        image_width: int,
        instruction_width: int,
        trunk_width: int,
        cells: int,
    ) -> None:
        super().__init__()
        self.config = config
        self.sentence = nn.Linear(instruction_width, image_width)
        self.place = nn.Linear(image_width, image_width)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(config.temperature)))
        self.row = nn.Linear(trunk_width, cells)
        self.column = nn.Linear(trunk_width, cells)

    def forward(
        self,
        instruction: Float[Tensor, "n d"],
        grid: Float[Tensor, "n c cells cells"],
        attention: Float[Tensor, "n k cells cells"] | None,
        query: Float[Tensor, "n w"],
        changed: Bool[Tensor, "n cells cells"],
    ) -> NarrationLosses:
        """The losses of n frames.

        Args:
            instruction: the vectors of what is said.
            grid: features of the picture that the instruction has not modulated.
            attention: the pool's maps, each summing to 1 (None: a pool without such maps).
            query: the transformer's output at the action query.
            changed: which places will have changed. Frames in which none will are left out.
        """
        some = changed.flatten(1).any(1)
        instruction, grid, query, changed = (x[some] for x in (instruction, grid, query, changed))
        scores = self.scores(instruction, grid)  # (n n cells cells): sentence, picture
        own = scores.diagonal().movedim(-1, 0)  # (n cells cells)
        named = _softmax_over(own.detach(), changed)
        maps = None if attention is None else attention[some, : self.config.maps].mean(1)
        return NarrationLosses(
            self._contrastive(scores, instruction, changed),
            query.sum() * 0 if maps is None else _cross_entropy(named, maps.clamp(min=1e-6).log()),
            _cross_entropy(named.sum(2), self.row(query).log_softmax(1))
            + _cross_entropy(named.sum(1), self.column(query).log_softmax(1)),
        )

    def scores(
        self, instruction: Float[Tensor, "m d"], grid: Float[Tensor, "n c rows columns"]
    ) -> Float[Tensor, "m n rows columns"]:
        """How well each sentence fits each place of each picture: cosines over the temperature."""
        sentences = F.normalize(self.sentence(instruction).float(), dim=-1)
        places = F.normalize(self.place(grid.movedim(1, -1)).float(), dim=-1)
        scale = self.log_scale.exp().clamp(max=1 / self.config.lowest_temperature)
        return scale * torch.einsum("md,nrcd->mnrc", sentences, places)

    def _contrastive(
        self,
        scores: Float[Tensor, "n n cells cells"],
        instruction: Float[Tensor, "n d"],
        changed: Bool[Tensor, "n cells cells"],
    ) -> Float[Tensor, ""]:
        """Which sentence belongs to which picture. The same sentence about another picture is no
        false pair: it is left out."""
        if not len(scores):
            return scores.sum()
        best = scores.masked_fill(~changed, -math.inf).flatten(2).amax(2)  # (sentence, picture)
        alike = (instruction[:, None] == instruction).all(-1)
        alike.fill_diagonal_(False)
        best = best.masked_fill(alike, -1e4)
        pairs = torch.arange(len(best), device=best.device)
        return (F.cross_entropy(best, pairs) + F.cross_entropy(best.T, pairs)) / 2


def changed_places(
    now: Shaped[Tensor, "n 3 h h"], future: Shaped[Tensor, "n 3 h h"], cells: int, threshold: float
) -> Bool[Tensor, "n {cells} {cells}"]:
    """Places of a grid in which a picture will have changed: by more than `threshold` (of full
    brightness) in one of the colours, on average over the place's pixels."""
    difference = (now.float() - future.float()).abs().amax(1, keepdim=True) / 255
    return F.adaptive_avg_pool2d(difference, cells)[:, 0] > threshold


def _softmax_over(
    scores: Float[Tensor, "n cells cells"], among: Bool[Tensor, "n cells cells"]
) -> Float[Tensor, "n cells cells"]:
    return scores.masked_fill(~among, -math.inf).flatten(1).softmax(1).view_as(scores)


def _cross_entropy(
    target: Float[Tensor, "n *cells"], log_probability: Float[Tensor, "n *cells"]
) -> Float[Tensor, ""]:
    """The mean over n; 0 if there are none."""
    return -(target * log_probability).sum() / max(1, len(target))
