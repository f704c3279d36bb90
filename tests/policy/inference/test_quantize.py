import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from firsthand.policy.inference.quantize import (
    BFloat16Linear,
    Float32Linear,
    Int8Linear,
    quantise,
    quantize,
)
from firsthand.policy.policy import Policy
from tests.policy.conftest import CONFIGS, make


def relative(value: torch.Tensor, truth: torch.Tensor) -> float:
    return float(((value - truth).norm() / truth.norm()).detach())


@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 99))
def test_whole_numbers_are_the_nearest(rows, width, seed):
    torch.manual_seed(seed)
    x = torch.randn(rows, width) * torch.logspace(-3, 3, rows)[:, None]
    whole, scale = quantise(x)
    assert torch.equal(whole.abs().amax(1), torch.full((rows,), 127))
    assert ((whole * scale - x).abs() <= 0.5001 * scale).all()


@given(st.integers(1, 3), st.integers(2, 40), st.integers(1, 9), st.booleans(), st.integers(0, 99))
def test_the_product_is_that_of_plain_whole_numbers(rows, inputs, outputs, bias, seed):
    torch.manual_seed(seed)
    linear = nn.Linear(inputs, outputs, bias=bias).requires_grad_(False)
    x = torch.randn(2, rows, inputs)
    said = Int8Linear(linear)(x).flatten(0, 1).tolist()
    tokens, token_scales = quantise(x.flatten(0, 1))
    weights, weight_scales = quantise(linear.weight)
    for i, token in enumerate(tokens.tolist()):
        for o, weight in enumerate(weights.tolist()):
            product = sum(a * b for a, b in zip(token, weight, strict=True))
            expected = product * float(token_scales[i]) * float(weight_scales[o])
            expected += float(linear.bias[o]) if bias else 0.0
            assert said[i][o] == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_the_largest_numbers_do_not_overflow():
    """Processors without whole-number dot products add pairs in 16 bits; torch must not use them
    where they saturate."""
    linear = nn.Linear(3072, 8, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([1.0, -1.0]).repeat(4)[:, None].expand_as(linear.weight))
    x = torch.ones(5, 3072)
    expected = torch.tensor([3072.0, -3072.0]).repeat(4).expand(5, -1)
    assert torch.allclose(Int8Linear(linear)(x), expected)


def test_a_single_input_is_refused():
    with pytest.raises(ValueError, match="one input"):
        Int8Linear(nn.Linear(1, 4))


def test_a_token_of_zeros_gives_the_bias():
    linear = nn.Linear(16, 4)
    assert torch.equal(Int8Linear(linear)(torch.zeros(2, 16)), linear.bias.expand(2, -1))


# How wrong at least and at most. Two ways to multiply in fp32 may agree to the bit: that is up to
# the processor. Numbers of fewer bits cannot.
@pytest.mark.parametrize(
    ("layer", "least", "bound"),
    [(Float32Linear, 0, 1e-5), (BFloat16Linear, 1e-4, 0.005), (Int8Linear, 1e-4, 0.015)],
)
def test_a_layer_is_nearly_right(layer, least, bound):
    torch.manual_seed(0)
    linear = nn.Linear(768, 256)
    x = torch.randn(197, 768) * torch.logspace(-2, 2, 197)[:, None]
    truth, said = linear(x), layer(linear)(x)
    assert least <= relative(said, truth) < bound
    for token in (0, 196):  # small tokens are as exact as large ones
        assert relative(said[token], truth[token]) < 2 * bound


def hastened(name: str, precision: str) -> tuple[Policy, Policy]:
    whole, low = make(CONFIGS[name]), make(CONFIGS[name])
    quantize(low, precision)
    return whole, low


@pytest.mark.parametrize("name", ["small", "gr1"])
@pytest.mark.parametrize(
    ("precision", "least", "bound"),
    [("fp32", 0, 1e-5), ("bf16", 1e-4, 0.02), ("int8", 1e-4, 0.05)],
)
def test_a_hastened_policy_says_nearly_the_same(name, precision, least, bound, make_batch):
    whole, low = hastened(name, precision)
    batch = make_batch(CONFIGS[name])
    for part in ("images", "pool", "trunk"):
        assert not [m for m in getattr(low, part).modules() if type(m) is nn.Linear]
    with torch.no_grad():
        tokens, _ = whole.embed_observation(batch)
        near, _ = low.embed_observation(batch)
        layout = whole.layout_of(batch, actions=True, futures=())
        truth = whole.run_transformer(tokens, batch.valid, layout)["action"]
        said = low.run_transformer(near, batch.valid, layout)["action"]
    assert least <= relative(near, tokens) < bound
    assert least <= relative(said, truth) < bound


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_a_hastened_policy_only_acts(precision, make_batch, tmp_path):
    whole, low = hastened("small", precision)
    batch, message = make_batch(CONFIGS["small"]), f"a policy hastened by {precision} only acts"
    low.predict(batch)
    with pytest.raises(ValueError, match=message):
        low(batch)
    with pytest.raises(ValueError, match=message):
        low.save_pretrained(tmp_path / "policy")
    assert not (tmp_path / "policy").exists()
    with pytest.raises(ValueError, match=message):
        low.load_state_dict(whole.state_dict())
    with pytest.raises(ValueError, match="was hastened before"):
        quantize(low, precision)
    assert not [p for p in low.parameters() if p.requires_grad]
