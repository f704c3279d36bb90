"""The metrics of one model: forced choice, retrieval, linear probes, agreement of layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.common.errors import UserError
from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.embeddings import EncoderCache, Progress
from firsthand.grounding.evaluation.forced_choice import Choices
from firsthand.grounding.evaluation.labels import ProbeResult, probe_words
from firsthand.grounding.evaluation.layers import LayerScores, layer_scores
from firsthand.grounding.evaluation.scoring import Retrieval, Scorer
from firsthand.grounding.evaluation.test_sets import TestSet, without_repeated_images
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.representation.rsa import Agreement, concept_agreement


@dataclass(frozen=True)
class ImageSet:
    """The n images of a test set whose labels a model knows, and its w words."""

    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    """What each image shows."""
    words: tuple[str, ...]
    image_emb: Float[Tensor, "n d"]
    similarity: Float[Tensor, "n w"]
    """Cosines."""
    means: Float[Tensor, "w d"]
    """Mean embeddings of the images with each word as their label."""
    text_emb: Float[Tensor, "w d"]
    shrunk: bool
    """Whether images were encoded in the middle of white."""


@dataclass(frozen=True)
class ModelMetrics:
    """Of one model; mappings are by the name of the test set unless said otherwise."""

    choices: Mapping[str, Choices]
    called: Mapping[str, str]
    """The word of each category."""
    unknown: Mapping[str, tuple[str, ...]]
    """Categories that the vocabulary has no word for."""
    retrieval: Mapping[str, Retrieval] = field(default_factory=dict)
    agreement: Mapping[str, Agreement | None] = field(default_factory=dict)
    """Correlation of image and text similarities; None of fewer than 3 concepts, or if all are
    equally alike."""
    probes: Mapping[float, ProbeResult] = field(default_factory=dict)
    """By share of the labels, within (0, 1]."""
    layers: Mapping[str, LayerScores] = field(default_factory=dict)
    """By measure of agreement."""
    stages: tuple[str, ...] = ()
    """Names of the image encoder's layers."""
    scene: ImageSet | None = None
    """The first test set of which the model knows a word."""


def measure(
    model: GroundingModel,
    sets: Mapping[str, TestSet],
    labelled: Mapping[str, Sequence[Path]],
    config: GroundEvalConfig,
    *,
    seed: int = 0,
    accuracy_only: bool = False,
    layers: bool = True,
    progress: Progress | None = None,
) -> ModelMetrics:
    """Metrics of a model on test sets.

    labelled: images for linear probes, by category. seed: of the probes. accuracy_only: forced
    choice alone. layers: whether to compare inner layers. progress: called while images are
    encoded.

    Raises:
        UserError: the model has no vocabulary or knows no word, or an image cannot be read.
    """
    words = sorted({word for test_set in sets.values() for word in test_set.words})
    encoder = EncoderCache(model, words, config)
    if not encoder.words:
        raise UserError(f"the model knows none of the words {', '.join(words)}")
    choices: dict[str, Choices] = {}
    retrieval: dict[str, Retrieval] = {}
    agreement: dict[str, Agreement | None] = {}
    distinct = without_repeated_images(dict(sets))
    scene: ImageSet | None = None
    for name, test_set in sets.items():
        if (known := test_set.with_words(encoder.words)) is None:
            continue
        paths = list(dict.fromkeys(known.paths.values()))
        similarity = encoder.encode(paths, shrunk=known.shrunk, progress=progress).similarity
        scorer = Scorer.of(encoder.words, paths, similarity)
        if (chosen := scorer.choose(known)) is not None:
            choices[name] = chosen
        if accuracy_only or name not in distinct:
            continue
        if (found := scorer.retrieve(known)) is not None:
            retrieval[name] = found
        image_set = encode_image_set(encoder, known)
        agreement[name] = _agreement(image_set, config)
        scene = scene or image_set
    unknown = {
        name: tuple(word for word in test_set.words if word not in encoder.words)
        for name, test_set in sets.items()
    }
    if accuracy_only:
        return ModelMetrics(choices, encoder.called, unknown)
    kept = {
        name: known for name in sets if (known := sets[name].with_words(encoder.words)) is not None
    }
    probes = probe_words(encoder, labelled, kept, config, seed, progress)
    image_layers = {} if scene is None else _image_layers(encoder, scene)
    agreeing: Mapping[str, LayerScores] = {}
    if layers and scene is not None:
        permutations, text_layers = config.layer_permutations, {"words": scene.text_emb}
        agreeing = layer_scores(
            image_layers, text_layers, permutations=permutations, seed=config.seed
        )
    known = (choices, encoder.called, unknown)
    layer_names = tuple(image_layers)
    return ModelMetrics(*known, retrieval, agreement, probes, agreeing, layer_names, scene)


def encode_image_set(encoder: EncoderCache, test_set: TestSet) -> ImageSet:
    """The images of a set whose labels the model has a word for, encoded."""
    known = {image: label for image, label in test_set.labels.items() if label in encoder.words}
    paths, labels = [test_set.paths[image] for image in known], tuple(known.values())
    embeddings = encoder.encode(paths, shrunk=test_set.shrunk)
    words = tuple(sorted(set(labels)))
    columns = [encoder.words.index(word) for word in words]
    return ImageSet(
        tuple(paths),
        labels,
        words,
        embeddings.vectors,
        embeddings.similarity[:, columns],
        _means(embeddings.vectors, labels, words),
        encoder.text_emb[columns],
        test_set.shrunk,
    )


def _means(
    rows: Float[Tensor, "n c"], labels: Sequence[str], words: Sequence[str]
) -> Float[Tensor, "w c"]:
    means = [
        rows[torch.tensor([label == word for label in labels], dtype=torch.bool)].mean(dim=0)
        for word in words
    ]
    return torch.stack(means)


def _agreement(scene: ImageSet, config: GroundEvalConfig) -> Agreement | None:
    try:
        return concept_agreement(
            scene.means, scene.text_emb, permutations=config.permutations, seed=config.seed
        )
    except ValueError:  # too few concepts, or all are equally alike
        return None


def _image_layers(encoder: EncoderCache, scene: ImageSet) -> dict[str, Float[Tensor, "w _"]]:
    """Mean embeddings of the images of each concept, by layer, the projection last."""
    embeddings = encoder.encode(scene.paths, shrunk=scene.shrunk)
    layers = {**embeddings.stages, "features": embeddings.features}
    layers["projection"] = embeddings.vectors
    return {name: _means(rows, scene.labels, scene.words) for name, rows in layers.items()}
