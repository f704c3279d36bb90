"""Similarities of images and words, of a model, a linear probe or CLIP, scored on a test set."""

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
    """Retrieval of images by word, and of words by image."""

    frames: Mapping[str, FrameRetrieval]
    words: WordRetrieval


@dataclass(frozen=True)
class Scorer:
    """Similarities of images (rows, by path) with words (columns, in the order of `words`)."""

    words: tuple[str, ...]
    similarity: Mapping[Path, Float[Tensor, " words"]]

    @classmethod
    def of(
        cls, words: Sequence[str], paths: Sequence[Path], similarity: Float[Tensor, "n words"]
    ) -> "Scorer":
        return cls(tuple(words), dict(zip(paths, similarity, strict=True)))

    def choose(self, test_set: TestSet) -> Choices | None:
        """Choices in the trials of known words, if there are any."""
        known = test_set.with_words(self.words)
        if known is None:
            return None
        images = {image: self.similarity[path] for image, path in known.paths.items()}
        return forced_choice(known.trials, images, self._columns(known.words))

    def retrieve(self, test_set: TestSet) -> Retrieval | None:
        """Retrieval among the images with a known word as their label, if there are any."""
        known = {image: label for image, label in test_set.labels.items() if label in self.words}
        if not known:
            return None
        frames = torch.stack([self.similarity[test_set.paths[image]] for image in known])
        labels = list(known.values())
        words = self._columns(sorted(set(labels)))
        return Retrieval(
            frames_by_word(frames, labels, words), words_by_frame(frames, labels, words)
        )

    def _columns(self, words: Sequence[str]) -> dict[str, Float[Tensor, " words"]]:
        """For each word the unit vector that picks its column."""
        kept = torch.eye(len(self.words))
        return {word: kept[self.words.index(word)] for word in words}
