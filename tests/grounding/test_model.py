"""The two encoders together: similarities, the loss, what learns and what stays, saving."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from firsthand.grounding.config import GroundingConfig, UtteranceConfig, VisionConfig
from firsthand.grounding.contrastive import Contrast, PairBatch, contrast
from firsthand.grounding.image_encoder import PolicyVision, vision_encoder
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.vocabulary import Vocabulary
from firsthand.policy.config import ImageConfig
from firsthand.policy.modules.image_encoder import imagenet_normalised
from tests.grounding.test_text_encoder import CASES, drawn
from tests.helpers.cvcl_golden import official, small_model, small_official, tensor
from tests.policy.conftest import make, tiny, tiny_gr1

EYES = VisionConfig(model="test_resnet", size=64)
MOUTH = UtteranceConfig(words=11)
SMALL = GroundingConfig(vision=EYES, utterance=MOUTH, width=16)


def model_of(config: GroundingConfig = SMALL) -> GroundingModel:
    torch.manual_seed(0)
    return GroundingModel(config)


def pictures(batch: int = 4, size: int = 64, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("case", CASES)
def test_similarities_and_loss_are_those_of_the_official_code(case):
    golden = official()
    model, wanted = small_official(case), golden["cases"][case]
    seen = torch.nn.functional.normalize(tensor(golden["image_features_raw"]), dim=1)
    said = model.encode_text(torch.tensor(golden["tokens"]), torch.tensor(golden["lengths"]))
    logits = model.logits(seen, said)
    close(logits, tensor(wanted["logits_per_image"]))
    close(logits.t(), tensor(wanted["logits_per_text"]))
    found = contrast(logits)
    for ours, theirs in (
        (found.total, "infonce_loss"),
        (found.image_accuracy, "image_accuracy"),
        (found.text_accuracy, "text_accuracy"),
        (found.image_entropy, "image_entropy_mean"),
        (found.text_entropy, "text_entropy_mean"),
    ):
        close(ours, torch.tensor(wanted[theirs], dtype=torch.float64))


@pytest.mark.parametrize("similarity", ["mean", "max"])
def test_spatial_similarities_are_those_of_the_official_code(similarity):
    golden = official()
    features = tensor(golden["spatial"]["image_features"])
    places = torch.nn.functional.normalize(features, dim=1)
    tokens, lengths = (torch.tensor(golden[part][: len(places)]) for part in ("tokens", "lengths"))
    model = small_official("embedding", similarity=similarity)
    found = model.spatial_logits(places, model.encode_words(tokens, lengths), lengths)
    wanted = golden["spatial"]["results"][similarity]
    close(found, tensor(wanted["logits_per_image"]))
    close(found.t(), tensor(wanted["logits_per_text"]))


def close(found: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(found.detach(), wanted, rtol=0, atol=1e-9)


@given(seed=st.integers(0, 1000), size=st.integers(1, 7))
def test_the_loss_is_what_plain_arithmetic_says(seed, size):
    logits = np.random.default_rng(seed).normal(scale=5, size=(size, size))
    found = contrast(torch.from_numpy(logits))
    loss, accuracy, entropy = 0.0, [], []
    for side in (logits, logits.T):
        shares = np.exp(side) / np.exp(side).sum(axis=1, keepdims=True)
        loss -= np.log(shares.diagonal()).mean() / 2
        accuracy.append(np.mean([row.argmax() == i for i, row in enumerate(side)]))
        entropy.append(-(shares * np.log(shares)).sum(axis=1).mean())
    wanted = (loss, *accuracy, *entropy)
    assert np.allclose([float(value) for value in found], wanted, atol=1e-9)


@given(seed=st.integers(0, 1000))
def test_spatial_similarities_are_what_plain_loops_say(seed):
    random = np.random.default_rng(seed)
    places, words = random.normal(size=(3, 5, 2, 4)), random.normal(size=(2, 6, 5))
    lengths = [6, 3]
    words[1, 3:] = 0
    for similarity, over in (("mean", np.mean), ("max", np.max)):
        model = small_model(MOUTH, similarity=similarity, temperature=0.5)
        found = model.spatial_logits(
            torch.from_numpy(places), torch.from_numpy(words), torch.tensor(lengths)
        )
        for i, t in np.ndindex(3, 2):
            of_words = [over(np.tensordot(w, places[i], 1)) for w in words[t, : lengths[t]]]
            assert np.isclose(float(found[i, t]), np.mean(of_words) / 0.5)


@pytest.mark.parametrize("trunk", ["test_resnet", "test_vit", "test_mambaout", "test_efficientnet"])
@pytest.mark.parametrize("similarity", ["flat", "mean", "max"])
def test_any_network_of_timms_can_look_and_learn(trunk, similarity):
    vision = replace(EYES, model=trunk, frozen=False)
    model = model_of(replace(SMALL, vision=vision, similarity=similarity))
    contrast(model.compare(pictures(), *drawn(0))).total.backward()
    unused = {"mean", "max"} & {similarity}
    for name, value in model.named_parameters():
        head = unused and ".head" in name  # what sums a grid up is not asked
        assert head or value.grad is not None, name
    if similarity == "flat":
        assert torch.allclose(model.encode_image(pictures()).norm(dim=1), torch.ones(4))
    else:
        places = model.encode_grid(pictures())
        assert places.shape[:2] == (4, 16)
        assert places.shape[2] > 1
        assert torch.allclose(places.norm(dim=1), torch.ones(places.shape[2:]))


def test_blocks_say_how_strong_each_feature_is_at_its_strongest():
    torch.manual_seed(0)
    eyes = vision_encoder(
        VisionConfig(encoder="blocks", widths=(4, 6), size=16, frozen=False)
    ).eval()
    seen, weights, x = eyes(pictures(3, 16)), eyes.state_dict(), pictures(3, 16)
    for block in ("blocks.0", "blocks.1"):
        x = F.conv2d(x, weights[f"{block}.0.weight"], padding=1) / (1 + 1e-5) ** 0.5
        x = x.clamp(min=0).unfold(2, 2, 2).unfold(3, 2, 2).amax(dim=(4, 5))
    torch.testing.assert_close(seen.grid, x)
    torch.testing.assert_close(seen.summary, x.flatten(2).max(dim=2).values)


def test_pictures_and_utterances_that_belong_together_are_learned():
    model = model_of(replace(SMALL, vision=replace(EYES, frozen=False)))
    images = pictures(8)
    tokens, lengths = torch.arange(1, 9)[:, None], torch.ones(8, dtype=torch.int64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(20):
        optimizer.zero_grad()
        contrast(model.compare(images, tokens, lengths)).total.backward()
        optimizer.step()
    found = contrast(model.compare(images, tokens, lengths))
    assert found.image_accuracy == found.text_accuracy == 1


def test_a_batch_holds_pictures_as_stored():
    model = model_of().eval()
    images = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    found = model(PairBatch(images, *drawn(0)))
    normalised = imagenet_normalised(images / 255)
    wanted = contrast(model.compare(normalised, *drawn(0)))
    assert torch.allclose(found.total, wanted.total, atol=1e-5)
    assert set(found.logged()) == {"loss", *Contrast._fields[1:]}
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(PairBatch(images, *drawn(0)))
    assert rough.total.dtype == torch.float32
    assert torch.allclose(rough.total, wanted.total, rtol=0.1)


@pytest.mark.parametrize("statistics", ["kept", "drifting"])
def test_a_frozen_network_keeps_its_statistics_unless_told_otherwise(statistics):
    """Upstream's frozen weights saw each batch by its own mean, and their statistics drifted."""
    model = model_of(replace(SMALL, vision=replace(EYES, statistics=statistics))).train()
    before = {name: value.clone() for name, value in model.vision.state_dict().items()}
    alone = model.eval().encode_image(pictures())
    learning = model.train().encode_image(pictures())
    contrast(model.compare(pictures(), *drawn(0))).total.backward()
    moved = {n for n, v in model.vision.state_dict().items() if not torch.equal(v, before[n])}
    assert all(value.grad is None for value in model.vision.parameters())
    assert model.project.weight.grad is not None
    if statistics == "kept":
        assert not moved
        assert torch.equal(alone, learning)
    else:
        assert moved
        assert all("running_" in name or "num_batches" in name for name in moved)
        assert not torch.allclose(alone, learning, atol=1e-3)


def test_a_fixed_temperature_is_saved_and_goes_wherever_the_model_goes(tmp_path):
    """Upstream's is in no state dict and stays behind when the model moves."""
    model = model_of(replace(SMALL, temperature=0.2)).eval()
    assert "log_scale" not in model.state_dict()
    seen, said = model.encode_image(pictures()), model.encode_text(*drawn(0))
    assert torch.allclose(model.logits(seen, said), seen @ said.t() / 0.2)
    model.save_pretrained(tmp_path)
    again = GroundingModel.from_pretrained(tmp_path)
    assert torch.equal(again.logits(seen, said), model.logits(seen, said))
    model.to("meta")
    assert model.logits(seen.to("meta"), said.to("meta")).device.type == "meta"


def test_a_learned_temperature_starts_where_it_is_told_and_learns():
    model = model_of(replace(SMALL, temperature=0.2, learn_temperature=True))
    assert torch.isclose(torch.as_tensor(model.scale), torch.tensor(5.0))
    contrast(model.compare(pictures(), *drawn(0))).total.backward()
    assert model.log_scale.grad is not None
    assert model.log_scale.grad != 0


def test_lengths_must_be_those_of_the_rows():
    model = model_of()
    for lengths in ([3, 0], [3, 4], [3, -1]):
        with pytest.raises(ValueError, match=r"utterance 1 has -?\d tokens, its row room for 3"):
            model.encode_text(torch.ones(2, 3, dtype=torch.int64), torch.tensor(lengths))


@pytest.mark.parametrize("of", [tiny, tiny_gr1])
@pytest.mark.parametrize("frozen", [True, False])
def test_a_policys_own_encoder_can_look(of, frozen):
    """What the model sees is what the policy's encoder makes of the same picture."""
    policy = make(of())
    images = policy.config.images
    size = policy.config.cameras[0].size
    vision = VisionConfig("policy", size=size, images=images, frozen=frozen)
    model = model_of(replace(SMALL, vision=vision))
    assert isinstance(model.vision, PolicyVision)
    model.vision.start_from(policy)
    pixels = torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8)
    mean, std = (
        (torch.tensor(v)[:, None, None]) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    normalised = (pixels / 255 - mean) / std
    wanted = policy.images(pixels, torch.zeros(2, policy.config.language.width))
    summary = wanted.grid.amax(dim=(2, 3)) if wanted.summary is None else wanted.summary
    found = model.eval().vision(normalised)
    assert torch.allclose(found.grid, wanted.grid, atol=1e-4)
    assert torch.allclose(found.summary, summary, atol=1e-4)
    model.train().encode_image(normalised).sum().backward()
    learned = {value.grad is not None for value in model.vision.parameters()}
    assert (True in learned) != frozen


def test_another_policys_encoder_is_refused():
    vision = VisionConfig("policy", images=ImageConfig(width=16), size=32)
    model = model_of(replace(SMALL, vision=vision))
    assert isinstance(model.vision, PolicyVision)
    with pytest.raises(ValueError, match=r"of another shape: blocks\.0\.first\.bias"):
        model.vision.start_from(make(tiny()))


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        replace(SMALL, utterance=replace(MOUTH, encoder="bilstm"), similarity="max"),
        replace(SMALL, utterance=replace(MOUTH, encoder="transformer", position="sinusoidal")),
        replace(SMALL, vision=VisionConfig("policy", images=ImageConfig(width=8), size=32)),
        replace(SMALL, vision=VisionConfig(model="test_vit", patch=8, size=32)),
    ],
)
def test_a_saved_model_is_the_same(config, tmp_path):
    words = ("<pad>", "<unk>", "<sos>", "<eos>", *"abcdefg")
    model = GroundingModel(config, Vocabulary(words)).eval()
    model.save_pretrained(tmp_path)
    again = GroundingModel.from_pretrained(tmp_path)
    assert again.config == config
    assert again.vocabulary == model.vocabulary
    assert not again.training
    image = pictures(2, config.vision.size)
    assert torch.equal(again.encode_image(image), model.encode_image(image))
    assert torch.equal(again.encode_text(*drawn(0)), model.encode_text(*drawn(0)))
    assert not list(tmp_path.glob("*.partial"))


def test_a_damaged_directory_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="no word-grounding model at .*nowhere"):
        GroundingModel.from_pretrained(tmp_path / "nowhere")
    model_of().save_pretrained(tmp_path)
    assert not (tmp_path / "vocabulary.json").exists()
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(config.replace('"width": 16', '"width": 17'))
    with pytest.raises(ValueError, match=r"3 of another shape: project\.bias is \(16,\), not \(17"):
        GroundingModel.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(config.replace('"width"', '"breadth"'))
    with pytest.raises(ValueError, match=r"config\.json: unknown breadth"):
        GroundingModel.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"holds no model\.safetensors"):
        GroundingModel.from_pretrained(tmp_path)


def test_choices_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="width 20 is not a multiple of the utterance's 8 heads"):
        GroundingConfig(width=20, utterance=UtteranceConfig("transformer"))
    with pytest.raises(ValueError, match=r"widths needs one number .* not \[\]"):
        VisionConfig(encoder="blocks", widths=())
    with pytest.raises(ValueError, match=r"temperature must be positive, not 0\.0"):
        GroundingConfig(temperature=0.0)
    with pytest.raises(ValueError, match="the vocabulary has 4 words, utterance.words says 11"):
        GroundingModel(SMALL, Vocabulary(("<pad>", "<unk>", "<sos>", "<eos>")))
    for eyes in (VisionConfig(model="no_such_network"), VisionConfig("timm", "test_resnet", 14)):
        with pytest.raises(ValueError, match=f"timm makes no {eyes.model}"):
            GroundingModel(replace(SMALL, vision=eyes))
