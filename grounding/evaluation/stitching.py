"""Model stitching: does what one model sees, moved by an affine map, do in another's place?

A map between frozen representations (Lenc and Vedaldi 2015, Bansal et al. 2021), here the ridge
regression in closed form. It is fitted on pictures or utterances of `val.json`, which neither model
learned from, half of which choose the penalty, and judged by trials of other recordings: beside the
model's own eyes, and beside a map fitted to pairs that were mixed up, which is all that the task
gives away by itself.
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
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.pairs import FRAMES

PAIRED = "val.json"
FRAMES_EACH = 4  # of an utterance, evenly spread
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

    In units of the mean variance of the columns of x, so that the scale of features plays no part;
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
    """To the first half of the pairs, with the penalty that does best on the others."""
    half = len(x) // 2
    maps = [ridge(x[:half], y[:half], penalty) for penalty in PENALTIES]
    return min(maps, key=lambda it: float((it(x[half:]) - y[half:]).square().mean()))


@dataclass(frozen=True)
class Stitch:
    """What was chosen by test set, and the mean average precision of frames found by word.

    own: whether it is a model as it is, with which the next ones are compared.
    """

    label: str
    own: bool
    choices: Mapping[str, Choices]
    precision: Mapping[str, float]


def measure_stitching(
    models: Mapping[str, GroundingModel], root: Path, config: GroundEvalConfig
) -> list[Stitch]:
    """Two models by name, each in the place of the other, in every test set of the corpus.

    For each its own eyes first; then the other's, mapped to where it sees the same pictures and to
    where it hears what was said meanwhile; last what it hears, mapped to where the other sees. Only
    words that both know are asked for.

    Raises:
        UserError: there are no pairs, a file or picture is missing or malformed, a model has no
            vocabulary, or they share no word.
    """
    sets = find_test_sets(root, config)
    asked = sorted({word for test_set in sets.values() for word in test_set.words})
    eyes = {name: EncoderCache(model, asked, config) for name, model in models.items()}
    words = [word for word in asked if all(word in one.words for one in eyes.values())]
    sets = {n: known for n, s in sets.items() if (known := s.asking(words)) is not None}
    if not sets:
        raise UserError(f"{root}: no trial asks for a word that both models know")
    heard, pictures = _pairs(root, config.links)
    sides = [_Side.of(name, one, words, heard, pictures) for name, one in eyes.items()]
    return [
        _judged(label, by is None, sets, words, by or taker.eyes, nearness)
        for giver, taker in permutations(sides)
        for label, by, nearness in _stitches(giver, taker)
    ]


def as_markdown(stitches: Sequence[Stitch]) -> str:
    """A line each: accuracy with its 95 % interval, what is left of the model's own above chance,
    and the average precision, by test set."""
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
            shown = AccuracySummary.of_answers([chosen.credit]).shown()
            line += [shown, left, f"{stitch.precision[name]:.2f}"]
        lines.append(line)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plain(stitches: Sequence[Stitch]) -> list[dict[str, object]]:
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
    """A model, what it makes of the pairs row by row, and the vectors of the words.

    features: before they are projected to where words lie, where the vectors are.
    """

    name: str
    eyes: EncoderCache
    known: tuple[int, ...]
    features: Float[Tensor, "n a"]
    vectors: Float[Tensor, "n d"]
    heard: Float[Tensor, "n d"]
    words: Float[Tensor, "w d"]

    @classmethod
    def of(
        cls,
        name: str,
        eyes: EncoderCache,
        words: Sequence[str],
        heard: Sequence[str],
        pictures: Sequence[Path],
    ) -> "_Side":
        views = eyes.look(pictures)
        known = tuple(eyes.words.index(word) for word in words)
        said = _hear(eyes.model, heard)
        asked = F.normalize(eyes.said[list(known)].double(), dim=1)
        return cls(name, eyes, known, views.features, views.vectors, said, asked)


Nearness = Callable[[Embeddings], Float[Tensor, "n w"]]


def _stitches(giver: _Side, taker: _Side) -> Iterator[tuple[str, EncoderCache | None, Nearness]]:
    """Labels, who looks if not the taker, and how near what they see is to the taker's words."""
    here, there = taker.name, giver.name
    yield f"{here}, its own eyes", None, lambda views: views.nearness[:, list(taker.known)]
    mixed_up = torch.randperm(len(giver.features), generator=torch.Generator().manual_seed(0))
    for order, note in ((slice(None), ""), (mixed_up, ", pairs mixed up")):
        for place, what in ((taker.vectors, "sees"), (taker.heard, "hears")):
            there_to_here = fitted(giver.features, place[order])
            label = f"{there}'s eyes to where {here} {what}{note}"
            yield label, giver.eyes, _seen_there(there_to_here, taker.words)
        here_to_there = fitted(taker.heard[order], giver.features)
        label = f"{here}'s ears to where {there} sees{note}"
        yield label, giver.eyes, _heard_there(here_to_there(taker.words), giver.features)


def _seen_there(stitch: AffineMap, words: Float[Tensor, "w d"]) -> Nearness:
    return lambda views: F.normalize(stitch(views.features), dim=1) @ words.t()


def _heard_there(words: Float[Tensor, "w a"], features: Float[Tensor, "n a"]) -> Nearness:
    """Cosines from the middle of all that is seen, because features have no length of their own."""
    middle = features.double().mean(dim=0)
    aims = F.normalize(words - middle, dim=1)
    return lambda views: F.normalize(views.features.double() - middle, dim=1) @ aims.t()


def _judged(
    label: str,
    own: bool,
    sets: Mapping[str, TestSet],
    words: Sequence[str],
    eyes: EncoderCache,
    nearness: Nearness,
) -> Stitch:
    choices, precision = {}, {}
    for name, test_set in sets.items():
        paths = list(test_set.places.values())
        near = nearness(eyes.look(paths, shrunk=test_set.shrunk)).float()
        judge = Scorer.of(words, paths, near)
        chosen, found = judge.choose(test_set), judge.retrieve(test_set)
        assert chosen is not None  # the sets ask for these words alone
        assert found is not None
        choices[name] = chosen
        each = [figures.average_precision for figures in found.frames.values()]
        precision[name] = float(np.mean(each))
    return Stitch(label, own, choices, precision)


def _pairs(root: Path, links: bool) -> tuple[list[str], list[Path]]:
    """Utterances and pictures from while they were spoken, row by row."""
    heard: list[str] = []
    pictures: list[Path] = []
    for row in read_utterances(inside(root, PAIRED, links)):
        frames = row.frame_filenames
        some = np.unique(np.linspace(0, len(frames) - 1, FRAMES_EACH).round().astype(int))
        names = [frames[number] for number in some] if frames else []
        heard += [row.utterance] * len(names)
        pictures += [inside(root, f"{FRAMES}/{name}", links) for name in names]
    if len(pictures) < LEAST:
        raise UserError(f"{root / PAIRED}: {len(pictures)} pictures are too few to fit a map to")
    return heard, pictures


@torch.no_grad()
def _hear(model: GroundingModel, utterances: Sequence[str]) -> Float[Tensor, "n d"]:
    """Each utterance encoded once, as in training."""
    assert model.vocabulary is not None
    device, different = model.project.weight.device, list(dict.fromkeys(utterances))
    length = model.config.utterance.length
    tokens, lengths = model.vocabulary.encode(different, length=length)
    tokens, lengths = tokens.to(device), lengths.to(device)
    if model.config.similarity == "flat":
        vectors = model.encode_text(tokens, lengths)
    else:
        vectors = F.normalize(model.encode_words(tokens, lengths).sum(dim=1), dim=1)
    numbers = {utterance: number for number, utterance in enumerate(different)}
    return vectors.cpu()[[numbers[utterance] for utterance in utterances]]
