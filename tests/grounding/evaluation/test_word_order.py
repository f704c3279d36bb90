"""Whether word order is judged as it should be: judges of which the answers are known."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from firsthand.common.errors import UserError
from firsthand.grounding.config import GroundingConfig, UtteranceConfig, VisionConfig
from firsthand.grounding.evaluation.word_order import FILE, measure_word_order
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.vocabulary import SPECIAL, Vocabulary

VOCABULARY = Vocabulary((*SPECIAL, "ball", "car", "the", "by", "."))
BALL = VOCABULARY.numbers["ball"]


def model(kind: type[GroundingModel] = GroundingModel) -> GroundingModel:
    torch.manual_seed(0)
    words = UtteranceConfig(words=len(VOCABULARY))
    vision = VisionConfig(model="test_resnet", size=32, frozen=False)
    return kind(GroundingConfig(vision, words, width=16), VOCABULARY)


class Judge(GroundingModel):
    """Knows which is which: the ball comes first in red pictures. `sign` says how much it knows."""

    sign = 1.0

    def compare(
        self,
        images: Float[Tensor, "b 3 h w"],
        tokens: Int[Tensor, "t l"],
        lengths: Int[Tensor, " t"],
    ) -> Float[Tensor, "b t"]:
        return self.answer(images, tokens)

    def answer(self, images: Tensor, tokens: Tensor) -> Tensor:
        """Similarities, whatever the utterances' lengths."""
        red = torch.sign(images[:, 0].mean(dim=(1, 2)) - images[:, 2].mean(dim=(1, 2)))
        first = torch.sign((tokens[:, 2] == BALL).float() - 0.5)
        return self.sign * red[:, None] * first


class Deaf(Judge):
    """Likes a picture, whatever is said."""

    def answer(self, images: Tensor, tokens: Tensor) -> Tensor:
        return images.mean(dim=(1, 2, 3))[:, None].expand(-1, len(tokens))


class Blind(Judge):
    """Likes an utterance, whatever is seen."""

    def answer(self, images: Tensor, tokens: Tensor) -> Tensor:
        return (tokens[:, 2] == BALL).float().expand(len(images), -1)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpus")
    trials = []
    texts = ["the ball by the car .", "the car by the ball ."]
    for number in range(40):  # more than a batch
        shades = [[200 + number, 0, 0], [0, 0, 200 + number]]
        names = []
        for k, shade in enumerate(shades):
            names.append(f"{number}_{k}.png")
            picture = np.tile(np.array(shade, np.uint8), (32, 32, 1))
            Image.fromarray(picture).save(root / names[-1])
        kind = ("near", "far")[number % 2]
        trials.append({"kind": kind, "utterances": texts, "img_filenames": names})
    (root / FILE).write_text(json.dumps({"data": trials}))
    return root


@pytest.mark.parametrize("right", [True, False])
def test_who_knows_is_right_and_who_has_it_backwards_is_wrong(
    root: Path, right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Judge, "sign", 1.0 if right else -1.0)
    choices = measure_word_order(model(Judge), root)
    assert choices["text"].credit == choices["image"].credit == (float(right),) * 40
    assert choices["text"].words == ("near", "far") * 20
    assert choices["text"].chance == choices["image"].chance == 0.5


@pytest.mark.parametrize("kind", [Blind, Deaf, GroundingModel])
def test_who_sees_nothing_or_hears_no_order_is_right_half_the_time(
    root: Path, kind: type[GroundingModel]
) -> None:
    """In every trial. The last is a bag of words, of which sums are only nearly the same."""
    choices = measure_word_order(model(kind), root)
    assert choices["text"].credit == choices["image"].credit == (0.5,) * 40


def test_a_corpus_without_such_trials_has_no_figures(tmp_path: Path) -> None:
    assert measure_word_order(model(), tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": []}, "holds no list of trials"),
        ({"data": [{"utterances": ["a", "b"], "img_filenames": ["c", "d"]}]}, "trial 0: names no"),
        (
            {"data": [{"kind": "x", "utterances": ["a"], "img_filenames": ["c", "d"]}]},
            r"trial 0: utterances is \['a'\], not two texts",
        ),
        (
            {"data": [{"kind": "x", "utterances": ["a", " "], "img_filenames": ["c", "d"]}]},
            "trial 0: utterances",
        ),
        (
            {"data": [{"kind": "x", "utterances": ["a", "b"], "img_filenames": ["../c", "d"]}]},
            "'../c' does not name a file inside",
        ),
    ],
)
def test_malformed_trials_are_named(tmp_path: Path, content: dict, message: str) -> None:
    (tmp_path / FILE).write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        measure_word_order(model(), tmp_path)
