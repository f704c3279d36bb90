"""Features in the place of pictures change nothing but the work."""

from dataclasses import replace

import pytest
import torch

from firsthand.policy.batch import Batch
from firsthand.policy.config import ImageConfig
from firsthand.policy.frozen_features import encode_images, encoder_identity
from firsthand.policy.policy import Policy
from tests.policy.conftest import SEEN, tiny, tiny_gr1


@pytest.fixture
def gr1() -> Policy:
    torch.manual_seed(0)
    return Policy(tiny_gr1(), SEEN)


def stored(policy: Policy, batch: Batch, dtype: torch.dtype = torch.float32) -> Batch:
    """The batch with features for all its pictures, encoded as training would encode them."""
    shapes = {camera: images.shape[:2] for camera, images in batch.images.items()}
    pictures = torch.cat([images.flatten(0, 1) for images in batch.images.values()])
    size = policy.config.cameras[0].size
    tokens = encode_images(policy.config, policy.images, pictures, size).to(dtype)
    parts = tokens.chunk(len(shapes))
    features = {c: t.unflatten(0, s) for (c, s), t in zip(shapes.items(), parts, strict=True)}
    return replace(batch, images={}, features=features)


def test_losses_and_gradients_are_the_same_bits(gr1, make_batch):
    batch = make_batch(gr1.config)
    gr1.eval()  # dropout would differ
    found = []
    for given in (batch, stored(gr1, batch)):
        gr1.zero_grad()
        losses = gr1(given)
        losses.total.backward()
        gradients = [p.grad.clone() for p in gr1.parameters() if p.grad is not None]
        found.append((losses.scalars(), gradients))
    (plain, gradients), (fast, fast_gradients) = found
    assert plain == fast
    assert all(map(torch.equal, gradients, fast_gradients))
    assert len(gradients) == len(fast_gradients) > 20


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_costs_its_rounding_alone(gr1, make_batch, dtype):
    batch = make_batch(gr1.config)
    gr1.eval()
    tolerance = 4 * torch.finfo(dtype).eps
    plain, fast = gr1(batch).scalars(), gr1(stored(gr1, batch, dtype)).scalars()
    assert fast == pytest.approx(plain, rel=tolerance)
    assert fast != plain


def test_one_camera_may_have_features_and_the_other_pictures(gr1, make_batch):
    batch = make_batch(gr1.config)
    gr1.eval()
    features = stored(gr1, batch).features
    mixed = replace(
        batch,
        images={"rgb_static": batch.images["rgb_static"]},
        features={"rgb_gripper": features["rgb_gripper"]},
    )
    assert gr1(mixed).scalars() == pytest.approx(gr1(batch).scalars(), rel=1e-5)
    assert gr1.predict(mixed).frames.keys() == {"rgb_static"}


def test_sequences_longer_than_the_window(gr1, make_batch):
    batch = make_batch(replace(gr1.config, n_obs_steps=5))
    gr1.eval()
    assert gr1(stored(gr1, batch)).scalars() == gr1(batch).scalars()


def test_who_may_not_use_them_is_told(make_batch):
    learns = ImageConfig(encoder="vit", model="test_vit", frozen=False)
    for config, reason in [
        (tiny(), "this one learns"),
        (replace(tiny_gr1(), images=learns), "this one learns"),
        (
            replace(tiny_gr1(), video=replace(tiny_gr1().video, start="features")),
            "video.start=features",
        ),
    ]:
        policy = Policy(config, SEEN)
        batch = make_batch(config)
        with pytest.raises(ValueError, match=reason):
            encoder_identity(policy.config, policy.images)
        features = {"rgb_static": torch.zeros(*batch.valid.shape, 101, policy.images.width)}
        with pytest.raises(ValueError, match=reason):
            policy(replace(batch, images={}, features=features))


def test_the_identity_is_the_encoders_alone(gr1, tmp_path):
    identity = encoder_identity(gr1.config, gr1.images)
    torch.manual_seed(1)
    other = Policy(tiny_gr1(), SEEN)
    assert encoder_identity(other.config, other.images) != identity
    other.images.load_state_dict(gr1.images.state_dict())
    assert encoder_identity(other.config, other.images) == identity
    gr1.save_pretrained(tmp_path / "policy")
    loaded = Policy.from_pretrained(tmp_path / "policy")
    loaded = Policy.from_pretrained(tmp_path / "policy")
    assert encoder_identity(loaded.config, loaded.images) == identity
    smooth = replace(tiny_gr1().images, antialias=not tiny_gr1().images.antialias)
    third = Policy(replace(tiny_gr1(), images=smooth), SEEN)
    third.images.load_state_dict(gr1.images.state_dict())
    assert encoder_identity(third.config, third.images) != identity
    with torch.no_grad():
        next(gr1.images.parameters()).flatten()[0] += 1e-3
    assert encoder_identity(gr1.config, gr1.images) != identity
