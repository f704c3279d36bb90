"""The contents of a report: means over seeds, beside their controls.

Field names are keys of `results.json`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from firsthand.grounding.accuracy import AccuracySummary
from firsthand.grounding.evaluation.forced_choice import Choices
from firsthand.grounding.evaluation.labels import LabelNoise


@dataclass(frozen=True)
class SetFacts:
    """A test set."""

    title: str
    trials: int
    pictures: int
    """Number of images."""
    chance: float
    """Expected accuracy of a random choice."""
    unknown: tuple[str, ...]
    """Target words that are not in the models' vocabulary."""


@dataclass(frozen=True)
class TableRow:
    """A row of a table of accuracies."""

    label: str
    sets: Mapping[str, AccuracySummary]
    """By test set."""
    by_word: Mapping[str, Mapping[str, AccuracySummary]]
    """By test set and target word."""
    compared: bool = False
    """Whether it is the main variant, and no control, probe or CLIP."""

    @classmethod
    def of(
        cls, label: str, models: Sequence[Mapping[str, Choices]], compared: bool = False
    ) -> "TableRow":
        """From the choices, by test set, of models that differ in their seed."""
        names = [name for name in models[0] if all(name in model for model in models)]
        choices_of = {name: [model[name] for model in models] for name in names}
        sets = {
            n: AccuracySummary.of_answers([c.credit for c in found])
            for n, found in choices_of.items()
        }
        by_word = {
            name: {
                word: AccuracySummary.of_answers([choices.credit_of(word) for choices in found])
                for word in found[0].by_word
                if all(word in choices.by_word for choices in found)
            }
            for name, found in choices_of.items()
        }
        return cls(label, sets, by_word, compared)


@dataclass(frozen=True)
class Result:
    """Retrieval of one variant in one set, means over seeds."""

    average_precision: AccuracySummary
    """Of frames by word, mean over words."""
    first_10: AccuracySummary
    """Precision of the first 10 frames, mean over words."""
    first_100: AccuracySummary
    """Precision of the first 100."""
    by_word: Mapping[str, AccuracySummary]
    """Average precision of each word."""
    own_word: AccuracySummary
    """Share of frames whose nearest word is their label."""
    reciprocal_rank: AccuracySummary
    """Of the label among the words of a frame."""


@dataclass(frozen=True)
class Concepts:
    """Correlated similarities of one variant in one set."""

    r: AccuracySummary
    """Pearson's r, mean over seeds."""
    p: float
    """Mantel's p, the largest over seeds."""


@dataclass(frozen=True)
class LayerTable:
    """One measure of agreement between layers, means over seeds."""

    scores: Float[np.ndarray, "image_layers text_layers"]
    best: float
    """Of the best pair of layers."""
    by_chance: float
    """Mean of the best pairs of permuted concepts."""
    p: float
    """The largest over seeds."""


@dataclass(frozen=True)
class Layers:
    """Agreement of layers."""

    seen: tuple[str, ...]
    """Names of the image encoder's layers."""
    said: tuple[str, ...]
    """Names of the text side's layers."""
    measures: Mapping[str, LayerTable]


@dataclass(frozen=True)
class Ranks:
    """Spearman's correlation of the model's accuracies with those of the probe with all labels."""

    rho: float
    categories: int
    """Number of categories."""


@dataclass(frozen=True)
class CurvePoint:
    """A study's accuracies at its alignment."""

    study: str
    alignment: float
    """Share of utterances that name something in view."""
    accuracy: Mapping[str, Mapping[str, AccuracySummary]]
    """By variant and test set."""


@dataclass(frozen=True)
class Section:
    """A section of its own: a table of trials of another kind, or a text."""

    title: str
    says: str
    """The paragraph below the title."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Column title of each trial file."""
    chance: Mapping[str, float] = field(default_factory=dict)
    """By trial file."""
    rows: tuple[TableRow, ...] = ()
    text: str = ""
    """Markdown, in the place of a table."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """The numbers in `text`, for `results.json`."""


@dataclass(frozen=True)
class GroundingReport:
    """All results; mappings by variant have controls first."""

    study: str
    """Name of the study."""
    root: str
    """The corpus."""
    alignment: float | None
    """Share of its utterances that name something in view; None if unknown."""
    main: str
    """The variant that others are compared with."""
    seeds: int
    """Models of that variant."""
    sets: Mapping[str, SetFacts]
    """By test set."""
    rows: tuple[TableRow, ...]
    """CVCL's figures 2 and 3 as a table."""
    probes: Mapping[str, TableRow]
    """Linear probes of every variant's features, by variant."""
    exchange: LabelNoise | None
    """How many utterances one label is worth; None without probes."""
    ranks: Ranks | None
    retrieval: Mapping[str, Mapping[str, Result]]
    """By variant and test set."""
    concepts: Mapping[str, Mapping[str, Concepts]]
    """By variant and test set."""
    layers: Layers | None
    curve: tuple[CurvePoint, ...] = ()
    """Accuracy against alignment, if several studies were evaluated."""
    parts: tuple[Section, ...] = ()
    """Sections of other kinds."""

    def as_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return _as_json(asdict(self))


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's rank correlation; ties get mean ranks. 0 if all values on a side are equal."""
    ranks = [_ranks(np.asarray(values, dtype=float)) for values in (a, b)]
    left, right = (rank - rank.mean() for rank in ranks)
    spread = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return float(left @ right) / spread if spread else 0.0


def _ranks(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    below = (values[None] < values[:, None]).sum(axis=1)
    equal = (values[None] == values[:, None]).sum(axis=1)
    return below + (equal + 1) / 2


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _as_json(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_as_json(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray) else value
