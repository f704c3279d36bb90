"""What models of a study found, side by side: controls first, means over seeds."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from firsthand.episodes.formats.saycam.utterances import read_utterances
from firsthand.grounding.accuracy import AccuracySummary
from firsthand.grounding.evaluation.labels import LabelNoise, exchange_rate
from firsthand.grounding.evaluation.layers import LayerScores
from firsthand.grounding.evaluation.linear_probe import times_said
from firsthand.grounding.evaluation.metrics import Figures
from firsthand.grounding.evaluation.test_sets import TestSet
from firsthand.grounding.report.report import (
    Concepts,
    CurvePoint,
    Layers,
    LayerTable,
    Ranks,
    Result,
    SetFacts,
    TableRow,
    spearman,
)
from firsthand.grounding.study import Study, variant_label

ByVariant = Mapping[str, Sequence[Figures]]


def facts(sets: Mapping[str, TestSet], main: Figures) -> dict[str, SetFacts]:
    """Of the sets that ask for a word which the model has heard."""
    return {
        name: SetFacts(
            sets[name].title,
            len(choices.credit),
            len(sets[name].places),
            choices.chance,
            main.unknown[name],
        )
        for name, choices in main.choices.items()
    }


def rows(study: Study, found: ByVariant) -> list[TableRow]:
    """Controls, the models in question, and what labels are worth to their features."""
    rows = [
        TableRow.of(variant_label(v), [one.choices for one in figures], v == study.main)
        for v, figures in found.items()
    ]
    main = found[study.main]
    for share in main[0].probes:
        name = f"linear probe, {100 * share:g} % of labels"
        rows.append(TableRow.of(name, [one.probes[share].choices for one in main]))
    return rows


def probes(found: ByVariant) -> dict[str, TableRow]:
    """Of every variant's features, with all labels."""
    return {
        variant: TableRow.of(variant_label(variant), [one.probes[1.0].choices for one in figures])
        for variant, figures in found.items()
        if all(1.0 in one.probes for one in figures)
    }


def exchange(root: Path, main: Sequence[Figures], name: str) -> LabelNoise | None:
    """Utterances that name a category for a label, in the first test set."""
    shares = [share for share, probed in main[0].probes.items() if name in probed.choices]
    if not shares or name not in main[0].choices or not (root / "train.json").is_file():
        return None
    asked = set(main[0].choices[name].words)
    called = {category: word for category, word in main[0].called.items() if category in asked}
    said = times_said((row.utterance for row in read_utterances(root / "train.json")), called)
    probes = [
        (
            main[0].probes[share].labels,
            float(np.mean([one.probes[share].choices[name].accuracy for one in main])),
        )
        for share in shares
    ]
    accuracy = float(np.mean([one.choices[name].accuracy for one in main]))
    return exchange_rate(said, accuracy, probes)


def ranks(main: Sequence[Figures], name: str) -> Ranks | None:
    if any(1.0 not in one.probes or name not in one.probes[1.0].choices for one in main):
        return None
    mine = TableRow.of("", [one.choices for one in main]).by_word[name]
    probes = TableRow.of("", [one.probes[1.0].choices for one in main]).by_word[name]
    words = [word for word in mine if word in probes]
    sides = [{side[word].mean for word in words} for side in (mine, probes)]
    if len(words) < 3 or min(map(len, sides)) < 2:  # constants have no ranks
        return None
    rho = spearman([mine[w].mean for w in words], [probes[w].mean for w in words])
    return Ranks(rho, len(words))


def retrieval(found: ByVariant) -> dict[str, dict[str, Result]]:
    return {
        variant: {name: _mean_retrieval(figures, name) for name in _shared(figures, "retrieval")}
        for variant, figures in found.items()
    }


def _mean_retrieval(figures: Sequence[Figures], name: str) -> Result:
    each = [one.retrieval[name] for one in figures]

    def over_words(value: Callable) -> AccuracySummary:
        return AccuracySummary.of(
            [float(np.mean([value(f) for f in one.frames.values()])) for one in each]
        )

    return Result(
        over_words(lambda frames: frames.average_precision),
        over_words(lambda frames: frames.precision[10]),
        over_words(lambda frames: frames.precision[100]),
        {
            word: AccuracySummary.of([one.frames[word].average_precision for one in each])
            for word in each[0].frames
            if all(word in one.frames for one in each)
        },
        AccuracySummary.of([one.words.first for one in each]),
        AccuracySummary.of([one.words.reciprocal_rank for one in each]),
    )


def concepts(found: ByVariant) -> dict[str, dict[str, Concepts]]:
    table: dict[str, dict[str, Concepts]] = {}
    for variant, figures in found.items():
        table[variant] = {}
        for name in _shared(figures, "agreement"):
            agreed = [a for one in figures if (a := one.agreement[name]) is not None]
            if agreed:
                r, p = AccuracySummary.of([a.r for a in agreed]), max(a.p for a in agreed)
                table[variant][name] = Concepts(r, p)
    return table


def _shared(figures: Sequence[Figures], part: str) -> list[str]:
    tables: list[Mapping[str, object]] = [getattr(one, part) for one in figures]
    return [name for name in tables[0] if all(name in table for table in tables)]


def layers(main: Sequence[Figures]) -> Layers | None:
    names = _shared(main, "layers")
    if not names:
        return None

    def table(each: Sequence[LayerScores]) -> LayerTable:
        return LayerTable(
            np.mean([one.scores.numpy() for one in each], axis=0),
            float(np.mean([one.best.best.score for one in each])),
            float(np.mean([one.best.by_chance for one in each])),
            max(one.best.p for one in each),
        )

    tables = {name: table([one.layers[name] for one in main]) for name in names}
    return Layers(main[0].stages, ("words",), tables)


def curve(
    studies: Sequence[tuple[Study, ByVariant]],
) -> tuple[CurvePoint, ...]:
    points = [
        CurvePoint(
            study.name,
            study.alignment,
            {
                v: TableRow.of(v, [one.choices for one in figures]).sets
                for v, figures in found.items()
            },
        )
        for study, found in studies
        if study.alignment is not None
    ]
    return tuple(sorted(points, key=lambda point: point.alignment))
