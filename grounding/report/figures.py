"""All figures of a report, by the names of their files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from firsthand.grounding.evaluation.embeddings import read_images
from firsthand.grounding.evaluation.metrics import ImageSet
from firsthand.grounding.evaluation.tsne import tsne_map
from firsthand.grounding.evaluation.verbs import VerbChoices
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.report.charts import accuracy_bars, alignment_curve, category_dots, scatter
from firsthand.grounding.report.matrices import concept_matrices, confusion, layer_pairs
from firsthand.grounding.report.montage import (
    frames_by_word_montage,
    saliency_montage,
    words_by_frame_montage,
)
from firsthand.grounding.report.report import GroundingReport, TableRow
from firsthand.grounding.report.saliency_plots import word_saliency
from firsthand.grounding.report.scatter import concept_map, frame_map
from firsthand.grounding.report.style import Picture, evenly_spaced
from firsthand.grounding.representation.rsa import cosines
from firsthand.grounding.study import variant_label

FRAMES = 25  # of each word on a map: the cost of t-SNE is the square of their number
_WORDS = 28  # in a montage
_NEAREST = 10  # frames of a word, in a montage
_MAPS = 4  # saliency maps of a word

_CAPTIONS = {
    "accuracy": "Right choices by test set. Bars show one standard error over seeds, or of one "
    "model the 95 % interval over trials; dashed lines are chance.",
    "categories": "Right choices by category.",
    "alignment_curve": "Right choices against the share of utterances that name something in view.",
    "said_against_accuracy": "How often a category is named, and right choices.",
    "concepts": "t-SNE of words (triangles) and of the mean pictures of what they mean (dots).",
    "frames_map": "t-SNE of pictures, coloured by what they show, and of words (triangles).",
    "distance_against_accuracy": "How far a word lies on the map from the pictures of what it "
    "means, and right choices.",
    "concept_matrices": "How alike concepts look and how alike their words are (cosines), with "
    "their correlation and Mantel's p.",
    "layers": "Agreement of the eyes' layers with words; the best pair is framed.",
    "looks": "Where the model looks for a word, in those pictures of what it means that are "
    "nearest to it.",
    "frames_by_word": "The pictures nearest to each word; those of other things are framed red.",
    "words_by_frame": "Pictures drawn at random, one of each category, and the words nearest to "
    "them.",
    "verbs": "Which verbs are chosen for which, of those that could be chosen.",
}


def draw_figures(
    report: GroundingReport,
    scene: ImageSet | None,
    model: GroundingModel,
    verbs: Mapping[str, VerbChoices] | None = None,
) -> dict[str, Picture]:
    """All figures, in the order of the report.

    scene: images encoded by `model`. verbs: its choices, by trial file.

    Raises:
        UserError: an image cannot be read.
    """
    figures = _of_report(report)
    if scene is not None:
        figures |= _of_scene(report, scene) | _montages(scene, model)
    for name, choices in (verbs or {}).items():
        names, shares = choices.confusion()
        figures[Path(name).stem.removeprefix("eval_")] = confusion(
            names, names, shares, choices.chance
        )
    return figures


def captions(names: Sequence[str]) -> dict[str, str]:
    """The caption of each figure."""
    found = {}
    for name in names:
        kind = next((k for k in sorted(_CAPTIONS, key=len)[::-1] if name.startswith(k)), name)
        rest = name.removeprefix(kind).strip("_").replace("_", " ")
        line = _CAPTIONS.get(kind, kind)
        found[name] = f"{line.removesuffix('.')} ({rest})." if rest else line
    return found


def _of_report(report: GroundingReport) -> dict[str, Picture]:
    figures = {}
    rows = {row.label: [row.sets.get(name) for name in report.sets] for row in report.rows}
    titles = [facts.title for facts in report.sets.values()]
    chance = [facts.chance for facts in report.sets.values()]
    figures["accuracy"] = accuracy_bars(rows, titles, chance)
    first = next(iter(report.sets))
    curves = {
        variant_label(variant): [
            (point.alignment, point.accuracy[variant][first])
            for point in report.curve
            if first in point.accuracy.get(variant, {})
        ]
        for variant in dict.fromkeys(v for point in report.curve for v in point.accuracy)
    }
    if curves:
        figures["alignment_curve"] = alignment_curve(curves, chance[0])
    for name in report.retrieval.get(report.main, {}):
        stem = "categories" + ("" if name == first else f"_{_stem(name)}")
        compared = [row for row in (_compared(report), *report.rows[-1:]) if name in row.by_word]
        dots = {row.label: row.by_word[name] for row in compared}
        if dots:
            figures[stem] = category_dots(dots, report.sets[name].chance)
    by_word = _compared(report).by_word.get(first, {})
    counts = {} if report.exchange is None else report.exchange.by_word
    if words := [word for word in by_word if counts.get(word)]:
        figures["said_against_accuracy"] = scatter(
            words,
            np.array([float(counts[word]) for word in words]),
            np.array([100 * by_word[word].mean for word in words]),
            "utterances that name it",
            "right choices in %",
        )
    if report.layers is not None:
        scores = {name: table.scores for name, table in report.layers.measures.items()}
        figures["layers"] = layer_pairs(report.layers.seen, report.layers.said, scores)
    return figures


def _of_scene(report: GroundingReport, scene: ImageSet) -> dict[str, Picture]:
    """Maps and matrices of one model's embeddings."""
    figures = {}
    means, text_emb = _doubles(scene.means), _doubles(scene.text_emb)
    if len(scene.words) > 1:
        figures["concepts"] = concept_map(scene.words, tsne_map(means, text_emb))
        rows = sample_frames(scene)
        points = tsne_map(means, text_emb, _doubles(scene.image_emb[rows]))
        labels = [scene.labels[row] for row in rows]
        figures["frames_map"] = frame_map(scene.words, labels, points)
        by_word = _compared(report).by_word.get(next(iter(report.sets)), {})
        known = [number for number, word in enumerate(scene.words) if word in by_word]
        words = [scene.words[number] for number in known]
        if words:
            figures["distance_against_accuracy"] = scatter(
                words,
                points.distances[known],
                np.array([100 * by_word[word].mean for word in words]),
                "distance between a word and its pictures on the map",
                "right choices in %",
            )
    agreed = report.concepts.get(report.main, {}).get(next(iter(report.sets)))
    if agreed is not None:  # the same values as on the page
        image_cosines, text_cosines = (
            cosines(values.double()).numpy() for values in (scene.means, scene.text_emb)
        )
        figures["concept_matrices"] = concept_matrices(
            scene.words, image_cosines, text_cosines, agreed.r.mean, agreed.p
        )
    return figures


def _montages(scene: ImageSet, model: GroundingModel) -> dict[str, Picture]:
    """Montages of images, at the model's input size, with their nearest words."""
    figures: dict[str, Picture] = {}
    labels = np.array(scene.labels)
    words = [int(n) for n in evenly_spaced(len(scene.words), _WORDS)]
    order = {n: scene.similarity[:, n].argsort(descending=True, stable=True).numpy() for n in words}
    names = [scene.words[n] for n in words]
    own = {n: [int(row) for row in order[n] if labels[row] == scene.words[n]] for n in words}
    best = [own[n][k % len(own[n])] for n in words for k in range(_MAPS)]
    frames = _frames(scene, model, best)
    text_emb = scene.text_emb[words].repeat_interleave(_MAPS, dim=0)
    maps = word_saliency(model, frames, text_emb)
    if maps is not None:
        by_word = (len(words), _MAPS, *maps.shape[1:])
        figures["looks"] = saliency_montage(
            names, frames.reshape(*by_word, 3), maps.reshape(by_word)
        )
    figures["frames_by_word"] = frames_by_word_montage(
        {scene.words[n]: list(_frames(scene, model, order[n][:_NEAREST])) for n in words},
        {scene.words[n]: (labels[order[n][:_NEAREST]] == scene.words[n]).tolist() for n in words},
    )
    random = np.random.default_rng(0)
    sampled = [int(random.choice(own[n])) for n in words]
    figures["words_by_frame"] = words_by_frame_montage(
        list(_frames(scene, model, sampled)),
        [scene.labels[row] for row in sampled],
        scene.words,
        _doubles(scene.similarity[sampled]),
    )
    return figures


def sample_frames(scene: ImageSet) -> list[int]:
    """Rows of at most `FRAMES` images of each word."""
    chosen = []
    for word in scene.words:
        rows = [row for row, label in enumerate(scene.labels) if label == word]
        chosen += [rows[n] for n in evenly_spaced(len(rows), FRAMES)]
    return chosen


def _frames(scene: ImageSet, model: GroundingModel, rows: Sequence[int] | np.ndarray) -> np.ndarray:
    paths = [scene.paths[row] for row in rows]
    pixels = read_images(paths, model.config.vision.size, scene.shrunk)
    return pixels.permute(0, 2, 3, 1).contiguous().numpy()


def _compared(report: GroundingReport) -> TableRow:
    return next(row for row in report.rows if row.compared)


def _doubles(values: torch.Tensor) -> Float[np.ndarray, "n d"]:
    return values.double().numpy()


def _stem(name: str) -> str:
    return Path(name).stem.removeprefix("eval_")
