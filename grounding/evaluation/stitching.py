"""Model stitching: does an affine map of one model's embeddings replace the other's encoder?

A map between frozen representations (Lenc and Vedaldi 2015, Bansal et al. 2021), here the ridge
regression in closed form. It is fitted on images or utterances of `val.json`, which neither model
was trained on; half of them choose the penalty. It is evaluated on trials of other recordings, and
compared with the model's own encoder and with a map fitted to permuted pairs, the baseline that
knows nothing of the correspondence.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor

from firsthand.common.errors import UserError
from firsthand.episodes.formats.saycam.utterances import read_utterances
from firsthand.episodes.untrusted.trust import inside
from firsthand.grounding.accuracy import AccuracySummary
from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.embeddings import Embeddings, EncoderCache
from firsthand.grounding.evaluation.forced_choice import Choices
from firsthand.grounding.evaluation.scoring import Scorer
from firsthand.grounding.evaluation.test_sets import TITLES, TestSet, find_test_sets
from firsthand.grounding.model import GroundingModel, vocabulary_of
from firsthand.grounding.pairs import FRAMES

PAIRED = "val.json"
FRAMES_EACH = 4  # frames of an utterance, evenly spread
LEAST = 4  # pairs
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


@dataclass(frozen=True)
class AffineMap:
    """y = x weight + bias."""

    weight: Float[Tensor, "a b"]
    bias: Float[Tensor, " b"]

    def __call__(self, x: Float[Tensor, "n a"]) -> Float[Tensor, "n b"]:
        return x.to(self.weight) @ self.weight + self.bias


def ridge(x: Float[Tensor, "n a"], y: Float[Tensor, "n b"], penalty: float) -> AffineMap:
    """The map with the least squared error plus `penalty` times its squared size.

    The penalty is in units of the mean variance of the columns of x, so that scale does not matter;
    the bias is not penalised.
    """
    x, y = x.double(), y.double()
    centre, aim = x.mean(dim=0), y.mean(dim=0)
    from_centre = x - centre
    gram = from_centre.t() @ from_centre / len(x)
    gram += (penalty * gram.diagonal().mean() + 1e-12) * torch.eye(len(gram)).to(gram)
    weight = torch.linalg.solve(gram, from_centre.t() @ (y - aim) / len(x))
    return AffineMap(weight, aim - centre @ weight)


def fitted(x: Float[Tensor, "n a"], y: Float[Tensor, "n b"]) -> AffineMap:
    """The map fitted to the first half of the pairs, with the penalty best on the second half."""
    half = len(x) // 2
    maps = [ridge(x[:half], y[:half], penalty) for penalty in PENALTIES]
    return min(maps, key=lambda it: float((it(x[half:]) - y[half:]).square().mean()))


@dataclass(frozen=True)
class Stitch:
    """One stitch evaluated; mappings are by test set."""

    label: str
    """What tables call it."""
    own: bool
    """Whether it is a model with its own encoder, with which the next ones are compared."""
    choices: Mapping[str, Choices]
    precision: Mapping[str, float]
    """Mean over words of the average precision of frames."""


def measure_stitching(
    models: Mapping[str, GroundingModel], root: Path, config: GroundEvalConfig
) -> list[Stitch]:
    """Stitch two models, in both directions, in every test set of the corpus.

    For each model first its own encoder; then the other's features, mapped to this model's
    embeddings of the same images and of their utterances; last this model's text embeddings, mapped
    to the other's features. Only words that both know are evaluated.

    models: by the names that labels call them by.

    Raises:
        UserError: there are no pairs, a file or image is missing or malformed, a model has no
            vocabulary, or they share no word.
    """
    sets = find_test_sets(root, config)
    wanted = sorted({word for test_set in sets.values() for word in test_set.words})
    encoders = {name: EncoderCache(model, wanted, config) for name, model in models.items()}
    words = [word for word in wanted if all(word in one.words for one in encoders.values())]
    sets = {n: known for n, s in sets.items() if (known := s.with_words(words)) is not None}
    if not sets:
        raise UserError(f"{root}: no trial asks for a word that both models know")
    utterances, images = _pairs(root, config.links)
    sides = [_Side.of(name, one, words, utterances, images) for name, one in encoders.items()]
    return [
        _score(label, encoder_of is None, sets, words, encoder_of or target.encoder, similarity)
        for source, target in permutations(sides)
        for label, encoder_of, similarity in _stitches(source, target)
    ]


def as_markdown(stitches: Sequence[Stitch]) -> str:
    """A table with a line each and, by test set: accuracy with its 95 % interval, its share of the
    model's own accuracy (both above chance), average precision."""
    names = list(stitches[0].choices)
    titles = [TITLES.get(name, name) for name in names]
    head = ["", *(cell for title in titles for cell in (title, "left", "AP"))]
    lines = [head, ["---"] * len(head)]
    own = stitches[0]
    for stitch in stitches:
        own = stitch if stitch.own else own
        line = [f"**{stitch.label}**" if stitch.own else stitch.label]
        for name in names:
            chosen, best = stitch.choices[name], own.choices[name].accuracy
            above = best - chosen.chance
            left = f"{100 * (chosen.accuracy - chosen.chance) / above:.0f} %" if above > 0 else ""
            shown = AccuracySummary.of_answers([chosen.credit]).formatted()
            line += [shown, left, f"{stitch.precision[name]:.2f}"]
        lines.append(line)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def as_json(stitches: Sequence[Stitch]) -> list[dict[str, object]]:
    """As JSON values."""
    return [
        {
            "label": stitch.label,
            "accuracy": {name: chosen.accuracy for name, chosen in stitch.choices.items()},
            "average_precision": dict(stitch.precision),
        }
        for stitch in stitches
    ]


@dataclass(frozen=True)
class _Side:
    """A model and its embeddings of n pairs and of w words."""

    name: str
    encoder: EncoderCache
    columns: tuple[int, ...]
    """Number of each word among the encoder's words."""
    features: Float[Tensor, "n a"]
    """Of the images, before the projection."""
    image_emb: Float[Tensor, "n d"]
    text_emb: Float[Tensor, "n d"]
    """Of the utterances."""
    words: Float[Tensor, "w d"]

    @classmethod
    def of(
        cls,
        name: str,
        encoder: EncoderCache,
        words: Sequence[str],
        utterances: Sequence[str],
        images: Sequence[Path],
    ) -> "_Side":
        embeddings = encoder.encode(images)
        columns = tuple(encoder.words.index(word) for word in words)
        text_emb = _encode_utterances(encoder.model, utterances)
        vectors = F.normalize(encoder.text_emb[list(columns)].double(), dim=1)
        return cls(
            name, encoder, columns, embeddings.features, embeddings.vectors, text_emb, vectors
        )


Similarity = Callable[[Embeddings], Float[Tensor, "n w"]]


def _stitches(
    source: _Side, target: _Side
) -> Iterator[tuple[str, EncoderCache | None, Similarity]]:
    """Labels, the encoder if not the target's, and the similarity of its embeddings with words."""
    here, there = target.name, source.name
    columns = list(target.columns)
    yield f"{here}, its own eyes", None, lambda embeddings: embeddings.similarity[:, columns]
    permuted = torch.randperm(len(source.features), generator=torch.Generator().manual_seed(0))
    for order, note in ((slice(None), ""), (permuted, ", pairs mixed up")):
        for goal, what in ((target.image_emb, "sees"), (target.text_emb, "hears")):
            there_to_here = fitted(source.features, goal[order])
            label = f"{there}'s eyes to where {here} {what}{note}"
            yield label, source.encoder, _by_image(there_to_here, target.words)
        here_to_there = fitted(target.text_emb[order], source.features)
        label = f"{here}'s ears to where {there} sees{note}"
        yield label, source.encoder, _by_text(here_to_there(target.words), source.features)


def _by_image(stitch: AffineMap, words: Float[Tensor, "w d"]) -> Similarity:
    return lambda embeddings: F.normalize(stitch(embeddings.features), dim=1) @ words.t()


def _by_text(words: Float[Tensor, "w a"], features: Float[Tensor, "n a"]) -> Similarity:
    """Cosines of features less their mean, because features have no origin of their own."""
    middle = features.double().mean(dim=0)
    aims = F.normalize(words - middle, dim=1)
    return lambda embeddings: F.normalize(embeddings.features.double() - middle, dim=1) @ aims.t()


def _score(
    label: str,
    own: bool,
    sets: Mapping[str, TestSet],
    words: Sequence[str],
    encoder: EncoderCache,
    similarity: Similarity,
) -> Stitch:
    choices, precision = {}, {}
    for name, test_set in sets.items():
        paths = list(test_set.paths.values())
        scores = similarity(encoder.encode(paths, shrunk=test_set.shrunk)).float()
        scorer = Scorer.of(words, paths, scores)
        chosen, found = scorer.choose(test_set), scorer.retrieve(test_set)
        assert chosen is not None  # all targets of the sets are among the words
        assert found is not None
        choices[name] = chosen
        each = [one.average_precision for one in found.frames.values()]
        precision[name] = float(np.mean(each))
    return Stitch(label, own, choices, precision)


def _pairs(root: Path, links: bool) -> tuple[list[str], list[Path]]:
    """Utterances and images of their time, row by row."""
    utterances: list[str] = []
    images: list[Path] = []
    for row in read_utterances(inside(root, PAIRED, links)):
        frames = row.frame_filenames
        some = np.unique(np.linspace(0, len(frames) - 1, FRAMES_EACH).round().astype(int))
        names = [frames[number] for number in some] if frames else []
        utterances += [row.utterance] * len(names)
        images += [inside(root, f"{FRAMES}/{name}", links) for name in names]
    if len(images) < LEAST:
        raise UserError(f"{root / PAIRED}: {len(images)} pictures are too few to fit a map to")
    return utterances, images


@torch.no_grad()
def _encode_utterances(model: GroundingModel, utterances: Sequence[str]) -> Float[Tensor, "n d"]:
    """Vectors of utterances, encoded as in training, equal ones once."""
    device, different = model.project.weight.device, list(dict.fromkeys(utterances))
    length = model.config.utterance.length
    tokens, lengths = vocabulary_of(model).encode(different, length=length)
    vectors = model.text_vectors(tokens.to(device), lengths.to(device))
    numbers = {utterance: number for number, utterance in enumerate(different)}
    return vectors.cpu()[[numbers[utterance] for utterance in utterances]]
