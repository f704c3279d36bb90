"""Whoever says how near pictures are to words: a model, a linear probe, CLIP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.grounding.evaluation.forced_choice import Choices, forced_choice
from firsthand.grounding.evaluation.retrieval import (
    FrameRetrieval,
    WordRetrieval,
    frames_by_word,
    words_by_frame,
)
from firsthand.grounding.evaluation.test_sets import TestSet


@dataclass(frozen=True)
class Retrieval:
    """Pictures found by word, and words by picture."""

    frames: Mapping[str, FrameRetrieval]
    words: WordRetrieval


@dataclass(frozen=True)
class Scorer:
    """How near pictures are to words; the words' columns are in their order."""

    words: tuple[str, ...]
    nearness: Mapping[Path, Float[Tensor, " words"]]

    @classmethod
    def of(
        cls, words: Sequence[str], paths: Sequence[Path], nearness: Float[Tensor, "n words"]
    ) -> "Scorer":
        return cls(tuple(words), dict(zip(paths, nearness, strict=True)))

    def choose(self, test_set: TestSet) -> Choices | None:
        """What is chosen in those trials that ask for a known word, if there are any."""
        known = test_set.asking(self.words)
        if known is None:
            return None
        images = {image: self.nearness[path] for image, path in known.places.items()}
        return forced_choice(known.trials, images, self._columns(known.words))

    def retrieve(self, test_set: TestSet) -> Retrieval | None:
        """Among the pictures of the set that show what a known word means."""
        shown = {image: what for image, what in test_set.shown.items() if what in self.words}
        if not shown:
            return None
        frames = torch.stack([self.nearness[test_set.places[image]] for image in shown])
        labels, words = list(shown.values()), self._columns(sorted(set(shown.values())))
        return Retrieval(
            frames_by_word(frames, labels, words), words_by_frame(frames, labels, words)
        )

    def _columns(self, words: Sequence[str]) -> dict[str, Float[Tensor, " words"]]:
        """What a row times this is: the nearness to one word."""
        kept = torch.eye(len(self.words))
        return {word: kept[self.words.index(word)] for word in words}
