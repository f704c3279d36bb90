"""What is reported of studies: means over seeds, side by side with their controls."""

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
    """What a test set consists of. unknown: words that the models have never heard."""

    title: str
    trials: int
    pictures: int
    chance: float
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class TableRow:
    """A line of the table: who was asked, and how well it did, by test set and by word in it.

    compared: whether it is the model in question, and no control or judge of another kind.
    """

    label: str
    sets: Mapping[str, AccuracySummary]
    by_word: Mapping[str, Mapping[str, AccuracySummary]]
    compared: bool = False

    @classmethod
    def of(
        cls, label: str, models: Sequence[Mapping[str, Choices]], compared: bool = False
    ) -> "TableRow":
        """Of models that differ in their seed: what each chose, by test set."""
        names = [name for name in models[0] if all(name in model for model in models)]
        asked = {name: [model[name] for model in models] for name in names}
        sets = {
            n: AccuracySummary.of_answers([c.credit for c in found]) for n, found in asked.items()
        }
        by_word = {
            name: {
                word: AccuracySummary.of_answers([choices.credit_of(word) for choices in found])
                for word in found[0].by_word
                if all(word in choices.by_word for choices in found)
            }
            for name, found in asked.items()
        }
        return cls(label, sets, by_word, compared)


@dataclass(frozen=True)
class Result:
    """Retrieval of one variant in one set, means over seeds.

    average_precision, first_10, first_100: of frames by word. by_word: the average precision of
    each. own_word: share of frames whose own word is the nearest. reciprocal_rank: of that word.
    """

    average_precision: AccuracySummary
    first_10: AccuracySummary
    first_100: AccuracySummary
    by_word: Mapping[str, AccuracySummary]
    own_word: AccuracySummary
    reciprocal_rank: AccuracySummary


@dataclass(frozen=True)
class Concepts:
    """Correlated similarities of one variant in one set: over seeds the mean r, the largest p."""

    r: AccuracySummary
    p: float


@dataclass(frozen=True)
class LayerTable:
    """A measure of agreement between layers of the eyes (rows) and of words, means over seeds.

    best: of the best pair; by_chance: of the best pairs of concepts mixed up; p: the largest.
    """

    scores: Float[np.ndarray, "seen said"]
    best: float
    by_chance: float
    p: float


@dataclass(frozen=True)
class Layers:
    seen: tuple[str, ...]
    said: tuple[str, ...]
    measures: Mapping[str, LayerTable]


@dataclass(frozen=True)
class Ranks:
    """Spearman's correlation between the model and the probe with all labels, over categories."""

    rho: float
    categories: int


@dataclass(frozen=True)
class CurvePoint:
    """A study at its share of aligned utterances: the accuracy of each variant, by test set."""

    study: str
    alignment: float
    accuracy: Mapping[str, Mapping[str, AccuracySummary]]


@dataclass(frozen=True)
class Section:
    """A section of its own: trials of another kind, or a `text` with the `values` in it.

    columns: what the table calls each trial file.
    """

    title: str
    says: str
    columns: Mapping[str, str] = field(default_factory=dict)
    chance: Mapping[str, float] = field(default_factory=dict)
    rows: tuple[TableRow, ...] = ()
    text: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class GroundingReport:
    """Everything that was found. Mappings by variant have controls first.

    rows: CVCL's figure 2 and 3 as a table, without chance, which the sets have. probes: of every
    variant's features, by variant.
    """

    study: str
    root: str
    alignment: float | None
    main: str
    seeds: int
    sets: Mapping[str, SetFacts]
    rows: tuple[TableRow, ...]
    probes: Mapping[str, TableRow]
    exchange: LabelNoise | None
    ranks: Ranks | None
    retrieval: Mapping[str, Mapping[str, Result]]
    concepts: Mapping[str, Mapping[str, Concepts]]
    layers: Layers | None
    curve: tuple[CurvePoint, ...] = ()
    parts: tuple[Section, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return _plain(asdict(self))


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """The correlation of ranks; equal values share theirs. 0 if all on a side are equal."""
    ranks = [_ranks(np.asarray(values, dtype=float)) for values in (a, b)]
    left, right = (rank - rank.mean() for rank in ranks)
    spread = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return float(left @ right) / spread if spread else 0.0


def _ranks(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    below = (values[None] < values[:, None]).sum(axis=1)
    equal = (values[None] == values[:, None]).sum(axis=1)
    return below + (equal + 1) / 2


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray) else value
