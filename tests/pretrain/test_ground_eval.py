"""What is measured of a model that knows colours."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from episodes.errors import UserError
from policy.grounding import GroundingModel
from policy.grounding_config import GroundingConfig, UtteranceConfig, VisionConfig
from policy.images import Features
from policy.vocabulary import SPECIAL, Vocabulary
from pretrain.ground_eval import (
    GroundEvalConfig,
    _read,
    as_markdown,
    encode_pictures,
    measure_words,
)
from pretrain.trials import make_trials, write_trials

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220), "grey": (9, 9, 9)}


class Eyes(nn.Module):
    """Sees the mean colour and nothing else."""

    def forward(self, pictures: torch.Tensor) -> Features:
        return Features(pictures, pictures.mean(dim=(2, 3)))


@pytest.fixture
def model() -> GroundingModel:
    """What is seen lies where what is said does, of all words but grey."""
    words = Vocabulary((*SPECIAL, "red", "green", "blue"))
    vision = VisionConfig(model="test_resnet", size=16)
    config = GroundingConfig(vision, UtteranceConfig(words=7), width=3)
    made = GroundingModel(config, words).eval()
    made.vision, made.project = Eyes(), nn.Linear(3, 3)
    with torch.no_grad():
        made.project.weight.copy_(torch.eye(3))
        made.project.bias.zero_()
        made.utterance.embedding.weight[4:] = torch.eye(3) + torch.tensor([0.0, 0.1, 0.0])
    return made


@pytest.fixture
def root(tmp_path) -> Path:
    random = np.random.default_rng(0)
    names: dict[str, list[str]] = {}
    for word, colour in COLOURS.items():
        (tmp_path / "eval" / word).mkdir(parents=True)
        names[word] = [f"eval/{word}/{i}.png" for i in range(4)]
        for name in names[word]:
            noise = random.integers(-9, 10, (20, 24, 3))
            picture = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(picture).save(tmp_path / name)
    write_trials(tmp_path / "eval_test.json", make_trials(names, each=5))
    write_trials(tmp_path / "pairs.csv", make_trials(names, choices=2, each=5))
    return tmp_path


def test_a_model_that_knows_colours_is_right(model, root):
    config = GroundEvalConfig(trials=("eval_test.json", "pairs.csv"), permutations=50)
    found = measure_words(model, root, config)
    assert list(found) == ["eval_test.json", "pairs.csv"]
    for name, chance in (("eval_test.json", 0.25), ("pairs.csv", 0.5)):
        one = found[name]
        assert one.choices.accuracy == 1.0
        assert one.choices.chance == chance
        assert one.unknown == ("grey",)
        assert len(one.choices.credit) == 15
        assert one.words.first == 1.0
        assert one.retrieval == {"blue": 1.0, "green": 1.0, "red": 1.0}
    plain = json.loads(json.dumps(found["eval_test.json"].plain()))
    assert plain["accuracy"] == 1.0
    assert plain["by_word"] == {"blue": 1.0, "green": 1.0, "red": 1.0}
    assert plain["concepts"]["p"] <= 1


def test_a_category_may_be_called_otherwise(model, root):
    """With red and green exchanged the model is always wrong about them."""
    called = {"red": "green", "green": "red", "grey": "blue"}
    config = GroundEvalConfig(called=called, permutations=1)
    found = measure_words(model, root, config)["eval_test.json"]
    assert found.unknown == ()
    by_word = found.choices.by_word
    assert by_word["blue"] == 1.0
    assert by_word["red"] < 1.0
    assert by_word["grey"] < 1.0


def test_the_page_has_a_row_for_every_set_and_word(model, root):
    config = GroundEvalConfig(trials=("eval_test.json", "pairs.csv"), permutations=1)
    page = as_markdown(measure_words(model, root, config))
    rows = [line.strip("|").split("|") for line in page.splitlines() if line]
    assert [row[0].strip() for row in rows if "%" in "".join(row)] == [
        "eval_test.json", "pairs.csv", "blue", "green", "red",
    ]  # fmt: skip
    assert "| eval_test.json | 15 | 25.0 % | 100.0 % | AP 1.00 | 100.0 % | r = " in page
    assert "| red | 100.0 % | 100.0 % |" in page


def test_a_model_that_sees_nothing_is_measured_too(model, root):
    with torch.no_grad():
        model.project.weight.zero_()
        model.project.bias.fill_(1)
    found = measure_words(model, root, GroundEvalConfig(permutations=1))["eval_test.json"]
    assert found.choices.accuracy == pytest.approx(0.25)
    assert found.agreement is None


def test_pictures_are_resized_and_batched(model, root, monkeypatch):
    paths = sorted(root.glob("eval/*/*.png"))
    together = torch.stack(encode_pictures(model, paths))
    monkeypatch.setattr("pretrain.ground_eval.BATCH", 3)
    assert torch.allclose(torch.stack(encode_pictures(model, paths)), together, atol=1e-6)
    assert torch.allclose(together.norm(dim=1), torch.ones(16))


def test_objects_on_white_are_shown_half_as_large(root):
    shown = _read(root / "eval" / "red" / "0.png", 16, True)
    assert shown.shape == (3, 16, 16)
    assert (shown[:, :4] == 255).all()
    assert (shown[:, :, 12:] == 255).all()
    assert (shown[1, 4:12, 4:12] < 60).all()
    whole = _read(root / "eval" / "red" / "0.png", 8, False)
    assert torch.equal(shown[:, 4:12, 4:12], whole)


def test_what_cannot_be_measured_is_named(model, root):
    config = GroundEvalConfig(trials=("none.json",))
    with pytest.raises(UserError, match=r"none\.json"):
        measure_words(model, root, config)
    (root / "eval" / "red" / "0.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"0\.png: is no readable picture"):
        measure_words(model, root, GroundEvalConfig())
    model.vocabulary = None
    with pytest.raises(UserError, match="the model has no vocabulary"):
        measure_words(model, root, GroundEvalConfig())
    model.vocabulary = Vocabulary((*SPECIAL, "a", "b", "c"))
    with pytest.raises(UserError, match="the model knows none of the words blue, green, grey, red"):
        measure_words(model, root, GroundEvalConfig())
