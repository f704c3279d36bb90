"""Retrieval of frames by a word, and of words by a frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

FIRST = (10, 100)  # precision is reported at these


@dataclass(frozen=True)
class FrameRetrieval:
    """How well frames are ranked by their nearness to a word.

    average_precision: mean of the precisions at every frame that shows what the word means.
    precision: of the first 10 and 100 frames, or of all if there are fewer.
    best: row numbers of the 100 nearest, the nearest first.
    """

    average_precision: float
    precision: Mapping[int, float]
    best: tuple[int, ...]


@dataclass(frozen=True)
class WordRetrieval:
    """How well words are ranked by their nearness to a frame, over all frames.

    first: share of frames whose own word is the nearest. reciprocal_rank: the mean of one over the
    rank of a frame's own word. Words equally near share their ranks.
    """

    first: float
    reciprocal_rank: float


def frames_by_word(
    frames: Float[Tensor, "n d"], labels: Sequence[str], words: Mapping[str, Float[Tensor, " d"]]
) -> dict[str, FrameRetrieval]:
    """For each word. Vectors have length 1; `labels`: the word of each frame.

    Raises:
        ValueError: no frame shows what a word means.
    """
    names = np.array(labels)
    found = {}
    for word, vector in words.items():
        right = names == word
        if not right.any():
            raise ValueError(f"no frame shows {word!r}")
        order = (frames @ vector).argsort(descending=True, stable=True).cpu().numpy()
        hits = right[order]
        precisions = hits.cumsum() / np.arange(1, len(hits) + 1)
        found[word] = FrameRetrieval(
            average_precision=float(precisions[hits].mean()),
            precision={n: float(hits[:n].mean()) for n in FIRST},
            best=tuple(int(row) for row in order[: FIRST[-1]]),
        )
    return found


def words_by_frame(
    frames: Float[Tensor, "n d"], labels: Sequence[str], words: Mapping[str, Float[Tensor, " d"]]
) -> WordRetrieval:
    """Over all frames.

    Raises:
        ValueError: what a frame shows is none of the words.
    """
    names = list(words)
    if unknown := sorted(set(labels) - set(names)):
        raise ValueError(f"a frame shows {unknown[0]!r}, which is none of the words")
    similarity = frames @ torch.stack(list(words.values())).t()
    own = torch.tensor([names.index(word) for word in labels], device=frames.device)
    mine = similarity.gather(1, own[:, None])
    nearer = (similarity > mine).sum(dim=1)
    equal = (similarity == mine).sum(dim=1)
    first = torch.where(nearer == 0, 1 / equal, torch.zeros_like(mine[:, 0]))
    rank = nearer + (equal + 1) / 2
    return WordRetrieval(first.double().mean().item(), (1 / rank).double().mean().item())
