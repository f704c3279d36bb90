"""The tables of a report: metrics of a study's variants, controls first, means over seeds."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from firsthand.episodes.formats.saycam.utterances import read_utterances
from firsthand.grounding.accuracy import AccuracySummary
from firsthand.grounding.evaluation.labels import LabelNoise, exchange_rate
from firsthand.grounding.evaluation.layers import LayerScores
from firsthand.grounding.evaluation.linear_probe import utterance_counts
from firsthand.grounding.evaluation.metrics import ModelMetrics
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

ByVariant = Mapping[str, Sequence[ModelMetrics]]


def set_facts(sets: Mapping[str, TestSet], main: ModelMetrics) -> dict[str, SetFacts]:
    """Of the sets with a target that the model knows."""
    return {
        name: SetFacts(
            sets[name].title,
            len(choices.credit),
            len(sets[name].paths),
            choices.chance,
            main.unknown[name],
        )
        for name, choices in main.choices.items()
    }


def rows(study: Study, found: ByVariant) -> list[TableRow]:
    """A row for each variant, and for each linear probe of the main one's features."""
    rows = [
        TableRow.of(variant_label(v), [one.choices for one in metrics], v == study.main)
        for v, metrics in found.items()
    ]
    main = found[study.main]
    for share in main[0].probes:
        name = f"linear probe, {100 * share:g} % of labels"
        rows.append(TableRow.of(name, [one.probes[share].choices for one in main]))
    return rows


def probes(found: ByVariant) -> dict[str, TableRow]:
    """Linear probes of every variant's features, with all labels."""
    return {
        variant: TableRow.of(variant_label(variant), [one.probes[1.0].choices for one in metrics])
        for variant, metrics in found.items()
        if all(1.0 in one.probes for one in metrics)
    }


def exchange(root: Path, main: Sequence[ModelMetrics], name: str) -> LabelNoise | None:
    """The number of utterances that one label is worth, in the first test set."""
    shares = [share for share, probed in main[0].probes.items() if name in probed.choices]
    if not shares or name not in main[0].choices or not (root / "train.json").is_file():
        return None
    targets = set(main[0].choices[name].words)
    called = {category: word for category, word in main[0].called.items() if category in targets}
    counts = utterance_counts(
        (row.utterance for row in read_utterances(root / "train.json")), called
    )
    probes = [
        (
            main[0].probes[share].labels,
            float(np.mean([one.probes[share].choices[name].accuracy for one in main])),
        )
        for share in shares
    ]
    accuracy = float(np.mean([one.choices[name].accuracy for one in main]))
    return exchange_rate(counts, accuracy, probes)


def ranks(main: Sequence[ModelMetrics], name: str) -> Ranks | None:
    if any(1.0 not in one.probes or name not in one.probes[1.0].choices for one in main):
        return None
    of_model = TableRow.of("", [one.choices for one in main]).by_word[name]
    probes = TableRow.of("", [one.probes[1.0].choices for one in main]).by_word[name]
    words = [word for word in of_model if word in probes]
    sides = [{side[word].mean for word in words} for side in (of_model, probes)]
    if len(words) < 3 or min(map(len, sides)) < 2:  # constants have no ranks
        return None
    rho = spearman([of_model[w].mean for w in words], [probes[w].mean for w in words])
    return Ranks(rho, len(words))


def retrieval(found: ByVariant) -> dict[str, dict[str, Result]]:
    return {
        variant: {name: _mean_retrieval(metrics, name) for name in _common(metrics, "retrieval")}
        for variant, metrics in found.items()
    }


def _mean_retrieval(metrics: Sequence[ModelMetrics], name: str) -> Result:
    each = [one.retrieval[name] for one in metrics]

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
    for variant, metrics in found.items():
        table[variant] = {}
        for name in _common(metrics, "agreement"):
            agreed = [a for one in metrics if (a := one.agreement[name]) is not None]
            if agreed:
                r, p = AccuracySummary.of([a.r for a in agreed]), max(a.p for a in agreed)
                table[variant][name] = Concepts(r, p)
    return table


def _common(metrics: Sequence[ModelMetrics], part: str) -> list[str]:
    tables: list[Mapping[str, object]] = [getattr(one, part) for one in metrics]
    return [name for name in tables[0] if all(name in table for table in tables)]


def layers(main: Sequence[ModelMetrics]) -> Layers | None:
    names = _common(main, "layers")
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
                v: TableRow.of(v, [one.choices for one in metrics]).sets
                for v, metrics in found.items()
            },
        )
        for study, found in studies
        if study.alignment is not None
    ]
    return tuple(sorted(points, key=lambda point: point.alignment))
