"""The parts of the policy, each against a plain version of itself."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from firsthand.policy.config import PoolingConfig
from firsthand.policy.modules.action_head import action_losses
from firsthand.policy.modules.future_target import (
    NormalisedTarget,
    PixelTarget,
    patchify,
    unpatchify,
)
from firsthand.policy.modules.spatial_softmax import SpatialSoftmax
from firsthand.policy.modules.token_pooling import PerceiverResampler
from firsthand.policy.modules.transformer import attend
from firsthand.policy.modules.video_decoder import sincos_position


@given(st.integers(1, 3), st.integers(1, 4), st.booleans(), st.integers(0, 99))
def test_attention_is_softmax_of_products(batch, n, masked, seed):
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(batch, 2, size, 4, generator=generator) for size in (n, 5, 5))
    mask = torch.rand(batch, 1, n, 5, generator=generator) > 0.5 if masked else None
    if mask is not None:
        mask[..., 0] = True
    scores = q @ k.transpose(-1, -2) / 2
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    assert torch.allclose(attend(q, k, v, mask), scores.softmax(-1) @ v, atol=1e-5)


@given(st.integers(1, 3), st.integers(1, 3), st.sampled_from([2, 4]))
def test_patches_are_pieces_of_the_picture_and_go_back(n, rows, patch):
    picture = torch.arange(n * 3 * (rows * patch) ** 2).view(n, 3, rows * patch, rows * patch)
    patches = patchify(picture, patch)
    for r in range(rows):
        for c in range(rows):
            piece = picture[:, :, r * patch : (r + 1) * patch, c * patch : (c + 1) * patch]
            assert torch.equal(patches[:, r * rows + c], piece.permute(0, 2, 3, 1).flatten(1))
    assert torch.equal(unpatchify(patches.float(), patch), picture.float())


def test_video_loss_counts_deviations_of_the_true_patch():
    torch.manual_seed(0)
    predicted, target = torch.rand(2, 3, 4, 12), torch.rand(2, 3, 4, 12)
    valid = torch.tensor([[True, True, False], [True, False, False]])
    errors = []
    for b, t in valid.nonzero().tolist():
        for p in range(4):
            deviation = target[b, t, p].numpy().std() + 0.05
            errors.append((((predicted - target)[b, t, p].numpy() / deviation) ** 2).mean())
    loss = PixelTarget(patch=2, eps=0.05).loss(predicted, target, valid)
    assert float(loss) == pytest.approx(np.mean(errors), rel=1e-5)


def test_normalised_patches_are_each_their_own_measure_and_can_be_shown_again():
    torch.manual_seed(0)
    target = NormalisedTarget(patch=4, eps=1e-6)
    pictures = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    truth = target.target(pictures)
    for n in range(2):
        pixels = ((pictures[n].permute(1, 2, 0) / 255 - mean) / std).numpy()
        for r in range(2):
            for c in range(2):
                piece = pixels[4 * r : 4 * r + 4, 4 * c : 4 * c + 4].reshape(-1)
                normalised = (piece - piece.mean()) / (np.sqrt(piece.var(ddof=1)) + 1e-6)
                assert np.allclose(truth[n, 2 * r + c].numpy(), normalised, atol=1e-5)
    assert torch.allclose(target.to_image(truth, pictures), pictures / 255, atol=1e-5)
    valid = torch.tensor([[True, False]])
    loss = target.loss(truth[None] + 0.5, truth[None], valid)
    assert float(loss) == pytest.approx(0.25)


def test_action_losses_are_means_over_valid_actions():
    torch.manual_seed(0)
    arm, gripper, actions = torch.randn(2, 3, 4, 6), torch.randn(2, 3, 4), torch.randn(2, 3, 4, 7)
    valid = torch.rand(2, 3, 4) > 0.5
    arm_loss, gripper_loss = action_losses(arm, gripper, actions, valid, beta=0.1)
    true = actions[valid]
    assert torch.allclose(arm_loss, F.smooth_l1_loss(arm[valid], true[:, :6], beta=0.1))
    opened = (true[:, 6] > 0).float()
    assert torch.allclose(gripper_loss, F.binary_cross_entropy_with_logits(gripper[valid], opened))


def test_a_point_of_attention_knows_where_it_looks():
    points = SpatialSoftmax(PoolingConfig(tokens=1), width=1, instruction_width=2)
    with torch.no_grad():
        points.sought.weight.copy_(torch.tensor([[1.0, -1.0]]))
        points.sought.bias.zero_()
    grid = torch.zeros(1, 1, 5, 9)
    grid[0, 0, 1, 6] = 100.0
    tokens, attention = (part.detach() for part in points(grid, torch.tensor([[1.0, 0.0]])))
    assert attention[0, 0, 1, 6] == pytest.approx(1.0)
    x, y = 2 * 6 / 8 - 1, 2 * 1 / 4 - 1
    assert tokens[0, 0, :3].tolist() == pytest.approx([100.0, x, y])
    assert tokens[0, 0, 3:8].tolist() == pytest.approx(
        [np.sin(2 * np.pi * x * 2**i / 4) for i in range(5)], abs=1e-5
    )
    _, elsewhere = points(grid, torch.tensor([[0.0, 1.0]]))
    assert elsewhere[0, 0, 1, 6] < 1e-6


def test_the_resampler_equals_a_loop_over_heads():
    torch.manual_seed(0)
    width = 8
    pool = PerceiverResampler(PoolingConfig("perceiver", 3, depth=2, heads=2, head_width=4), width)
    grid = torch.randn(1, width, 2, 3)
    patches = torch.stack([grid[0, :, i // 3, i % 3] for i in range(6)]) + pool.patch_embedding
    latents = pool.latents
    for layer in pool.layers:
        normed = layer.latent_norm(latents)
        source = torch.cat([layer.patch_norm(patches), normed])
        key, value = layer.key_value(source).chunk(2, dim=-1)
        query = layer.query(normed)
        heads = []
        for head in (slice(0, 4), slice(4, 8)):
            weights = (query[:, head] @ key[:, head].T / 2).softmax(-1)
            heads.append(weights @ value[:, head])
        latents = latents + layer.attention_out(torch.cat(heads, -1))
        latents = latents + layer.mlp_out(F.gelu(layer.mlp_in(layer.mlp_norm(latents))))
    assert torch.allclose(pool(grid, torch.zeros(1, 2)).tokens[0], pool.norm(latents), atol=1e-5)


def test_position_table_is_mae_s():
    """Column first, sines before cosines, frequencies 10000^(-i/(width/4))."""
    table = sincos_position(4, 8)
    for cell in range(16):
        expected = []
        for place in (cell % 4, cell // 4):
            angles = [place / 10000 ** (i / 2) for i in range(2)]
            expected += [np.sin(a) for a in angles] + [np.cos(a) for a in angles]
        assert table[cell].tolist() == pytest.approx(expected, abs=1e-6)
