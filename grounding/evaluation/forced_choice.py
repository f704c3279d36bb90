"""Forced choice: how often a model finds the image that a word means, among several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.grounding.evaluation.trials import ForcedChoiceTrial


@dataclass(frozen=True)
class Choices:
    """A model's choices, trial by trial."""

    words: tuple[str, ...]
    """The target word of each trial."""
    credit: tuple[float, ...]
    """1 for a right choice, 0 for a wrong one, 1 / n for one between n equally similar images of
    which the target is one: that the target stands first must not help."""
    chance: float
    """Expected accuracy of a random choice."""

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.credit))

    @cached_property
    def by_word(self) -> dict[str, float]:
        """Accuracy of each target word, in alphabetical order."""
        return {word: float(np.mean(self.credit_of(word))) for word in sorted(set(self.words))}

    def credit_of(self, word: str) -> list[float]:
        return [
            credit for target, credit in zip(self.words, self.credit, strict=True) if target == word
        ]


def forced_choice(
    trials: Sequence[ForcedChoiceTrial],
    images: Mapping[str, Float[Tensor, " d"]],
    words: Mapping[str, Float[Tensor, " d"]],
) -> Choices:
    """The choices of a model with these unit vectors, by file name and by word.

    Raises:
        ValueError: there are no trials, or an image or word has no vector; by name.
    """
    if not trials:
        raise ValueError("there are no trials")
    credit = []
    for trial in trials:
        if missing := [name for name in trial.images if name not in images]:
            raise ValueError(f"the picture {missing[0]} has no vector")
        if trial.word not in words:
            raise ValueError(f"the word {trial.word!r} has no vector")
        similarity = torch.stack([images[name] for name in trial.images]) @ words[trial.word]
        best = similarity == similarity.max()
        credit.append(float(best[0]) / int(best.sum().clamp(min=1)))
    chance = float(np.mean([1 / len(trial.images) for trial in trials]))
    return Choices(tuple(trial.word for trial in trials), tuple(credit), chance)
