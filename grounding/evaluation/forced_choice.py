"""How often a model finds the picture that a word means, among several."""

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
    """What a model chose in each trial: the `credit` it gets, by the `words` that were asked for.

    A choice between n pictures that it finds equally near counts 1 / n, and not as right because
    the target happens to stand first.
    """

    words: tuple[str, ...]
    credit: tuple[float, ...]
    chance: float

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.credit))

    @cached_property
    def by_word(self) -> dict[str, float]:
        """In alphabetical order."""
        return {word: float(np.mean(self.credit_of(word))) for word in sorted(set(self.words))}

    def credit_of(self, word: str) -> list[float]:
        return [
            credit for asked, credit in zip(self.words, self.credit, strict=True) if asked == word
        ]


def forced_choice(
    trials: Sequence[ForcedChoiceTrial],
    images: Mapping[str, Float[Tensor, " d"]],
    words: Mapping[str, Float[Tensor, " d"]],
) -> Choices:
    """What a model chooses whose vectors, of length 1, these are, by file name and by word.

    Raises:
        ValueError: there are no trials, or a picture or word has no vector; by name.
    """
    if not trials:
        raise ValueError("there are no trials")
    credit = []
    for trial in trials:
        if missing := [name for name in trial.images if name not in images]:
            raise ValueError(f"the picture {missing[0]} has no vector")
        if trial.word not in words:
            raise ValueError(f"the word {trial.word!r} has no vector")
        nearness = torch.stack([images[name] for name in trial.images]) @ words[trial.word]
        best = nearness == nearness.max()
        credit.append(float(best[0]) / int(best.sum().clamp(min=1)))
    chance = float(np.mean([1 / len(trial.images) for trial in trials]))
    return Choices(tuple(trial.word for trial in trials), tuple(credit), chance)
