"""One model measured: what it chooses and finds, and what its features are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.common.errors import UserError
from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.embeddings import EncoderCache, Tell
from firsthand.grounding.evaluation.forced_choice import Choices
from firsthand.grounding.evaluation.labels import Probed, probe_words
from firsthand.grounding.evaluation.layers import LayerScores, layer_scores
from firsthand.grounding.evaluation.scoring import Retrieval, Scorer
from firsthand.grounding.evaluation.test_sets import TestSet, with_other_pictures
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.representation.rsa import Agreement, concept_agreement


@dataclass(frozen=True)
class PictureSet:
    """The pictures of the first test set, n of them, and its w words, as a model has them.

    means: of the vectors of the pictures that show what each word means. shrunk: whether it saw the
    pictures in the middle of white.
    """

    paths: tuple[Path, ...]
    shown: tuple[str, ...]
    words: tuple[str, ...]
    seen: Float[Tensor, "n d"]
    nearness: Float[Tensor, "n w"]
    means: Float[Tensor, "w d"]
    said: Float[Tensor, "w d"]
    shrunk: bool


@dataclass(frozen=True)
class Figures:
    """Of one model, by the name of the test set.

    called: what each category was asked for by. unknown: those it has no word for. agreement:
    whether concepts that look alike are called alike; None of fewer than 3, or if all are equally
    alike. scene: None if the model knows none of the words of the first set.
    """

    choices: Mapping[str, Choices]
    called: Mapping[str, str]
    unknown: Mapping[str, tuple[str, ...]]
    retrieval: Mapping[str, Retrieval] = field(default_factory=dict)
    agreement: Mapping[str, Agreement | None] = field(default_factory=dict)
    probes: Mapping[float, Probed] = field(default_factory=dict)
    layers: Mapping[str, LayerScores] = field(default_factory=dict)
    stages: tuple[str, ...] = ()
    scene: PictureSet | None = None


def measure(
    model: GroundingModel,
    sets: Mapping[str, TestSet],
    labelled: Mapping[str, Sequence[Path]],
    config: GroundEvalConfig,
    *,
    seed: int = 0,
    briefly: bool = False,
    layers: bool = True,
    tell: Tell | None = None,
) -> Figures:
    """What a model knows of the words of test sets.

    `briefly` leaves it at forced choice; without `layers` the encoder's inner layers are left out.

    Raises:
        UserError: the model has no vocabulary or knows no word, or a picture cannot be read.
    """
    words = sorted({word for test_set in sets.values() for word in test_set.words})
    eyes = EncoderCache(model, words, config)
    if not eyes.words:
        raise UserError(f"the model knows none of the words {', '.join(words)}")
    choices: dict[str, Choices] = {}
    retrieval: dict[str, Retrieval] = {}
    agreement: dict[str, Agreement | None] = {}
    apart = with_other_pictures(dict(sets))
    scene: PictureSet | None = None
    for name, test_set in sets.items():
        if (known := test_set.asking(eyes.words)) is None:
            continue
        paths = list(dict.fromkeys(known.places.values()))
        nearness = eyes.look(paths, shrunk=known.shrunk, tell=tell).nearness
        judge = Scorer.of(eyes.words, paths, nearness)
        if (chosen := judge.choose(known)) is not None:
            choices[name] = chosen
        if briefly or name not in apart:
            continue
        if (found := judge.retrieve(known)) is not None:
            retrieval[name] = found
        mine = make_scene(eyes, known)
        agreement[name] = _agreement(mine, config)
        scene = scene or mine
    unknown = {
        name: tuple(word for word in test_set.words if word not in eyes.words)
        for name, test_set in sets.items()
    }
    if briefly:
        return Figures(choices, eyes.called, unknown)
    kept = {name: known for name in sets if (known := sets[name].asking(eyes.words)) is not None}
    probes = probe_words(eyes, labelled, kept, config, seed, tell)
    inner = _layers(eyes, scene, config) if layers and scene is not None else {}
    stages = (*_seen_layers(eyes, scene),) if scene is not None else ()
    return Figures(
        choices, eyes.called, unknown, retrieval, agreement, probes, inner, stages, scene
    )


def make_scene(eyes: EncoderCache, test_set: TestSet) -> PictureSet:
    """The pictures of a set that show what the model has a word for."""
    shown = {image: what for image, what in test_set.shown.items() if what in eyes.words}
    paths = [test_set.places[image] for image in shown]
    views = eyes.look(paths, shrunk=test_set.shrunk)
    words = tuple(sorted(set(shown.values())))
    columns = [eyes.words.index(word) for word in words]
    return PictureSet(
        tuple(paths),
        tuple(shown.values()),
        words,
        views.vectors,
        views.nearness[:, columns],
        _means(views.vectors, tuple(shown.values()), words),
        eyes.said[columns],
        test_set.shrunk,
    )


def _means(
    rows: Float[Tensor, "n c"], shown: Sequence[str], words: Sequence[str]
) -> Float[Tensor, "w c"]:
    means = [
        rows[torch.tensor([what == word for what in shown], dtype=torch.bool)].mean(dim=0)
        for word in words
    ]
    return torch.stack(means)


def _agreement(scene: PictureSet, config: GroundEvalConfig) -> Agreement | None:
    try:
        return concept_agreement(
            scene.means, scene.said, permutations=config.permutations, seed=config.seed
        )
    except ValueError:  # too few, or nothing is more like one thing than like another
        return None


def _seen_layers(eyes: EncoderCache, scene: PictureSet) -> dict[str, Float[Tensor, "w _"]]:
    """Means over the pictures of each concept, from the first stage to the space of words."""
    views = eyes.look(scene.paths, shrunk=scene.shrunk)
    layers = {**views.stages, "features": views.features, "projection": views.vectors}
    return {name: _means(rows, scene.shown, scene.words) for name, rows in layers.items()}


def _layers(
    eyes: EncoderCache, scene: PictureSet, config: GroundEvalConfig
) -> dict[str, LayerScores]:
    return layer_scores(
        _seen_layers(eyes, scene),
        {"words": scene.said},
        permutations=config.layer_permutations,
        seed=config.seed,
    )
