"""Utterances as vectors, against the official numbers and against plain arithmetic."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from firsthand.grounding.config import UtteranceConfig
from firsthand.grounding.text_encoder import RecurrentUtterance, sinusoids, utterance_encoder
from tests.helpers.cvcl_golden import official, small_official, tensor

CASES = ("embedding", "lstm", "bilstm", "transformer_learned")
KINDS = {
    "embedding": UtteranceConfig("embedding", words=11),
    "lstm": UtteranceConfig("lstm", words=11),
    "bilstm": UtteranceConfig("bilstm", words=11),
    "transformer": UtteranceConfig("transformer", words=11, heads=2, hidden=12),
    "sinusoidal": UtteranceConfig("transformer", 11, position="sinusoidal", heads=2, hidden=12),
    "learned": UtteranceConfig("transformer", 11, position="learned", heads=2, hidden=12),
}
WIDTH = 8


@pytest.mark.parametrize("case", CASES)
def test_utterances_are_those_of_the_official_code(case):
    golden = official()
    model = small_official(case)
    tokens, lengths = torch.tensor(golden["tokens"]), torch.tensor(golden["lengths"])
    found = model.encode_text(tokens, lengths)
    wanted = tensor(golden["cases"][case]["text_features_normalised"])
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)


def made(kind: str, seed: int) -> torch.nn.Module:
    """An encoder in float64 whose every weight is random."""
    torch.manual_seed(seed)
    encoder = utterance_encoder(KINDS[kind], WIDTH).double().eval()
    with torch.no_grad():
        for name, value in encoder.named_parameters():
            value.normal_(std=0.5)
            if name == "embedding.weight":
                value[0] = 0
    return encoder


def drawn(seed: int, batch: int = 4, longest: int = 6) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (batch,), generator=random)
    tokens = torch.randint(1, 11, (batch, longest), generator=random)
    return tokens.masked_fill(torch.arange(longest) >= lengths[:, None], 0), lengths


def plain(encoder: torch.nn.Module, kind: str, tokens: list[int]) -> np.ndarray:
    """One utterance without padding, in NumPy."""
    weights = {name: value.numpy() for name, value in encoder.state_dict().items()}
    words = weights["embedding.weight"][tokens]
    if kind == "embedding":
        return words.mean(axis=0)
    if kind == "lstm":
        return plain_lstm(words, weights, "")
    if kind == "bilstm":
        back = plain_lstm(words[::-1], weights, "_reverse")
        return (plain_lstm(words, weights, "") + back) / 2
    if kind != "transformer":
        words = words + weights["position"][: len(words)]
    return plain_layer(words, weights).mean(axis=0)


def plain_lstm(words: np.ndarray, weights: dict[str, np.ndarray], way: str) -> np.ndarray:
    hidden = cell = np.zeros(WIDTH)
    for word in words:
        gates = word @ weights[f"lstm.weight_ih_l0{way}"].T + weights[f"lstm.bias_ih_l0{way}"]
        gates += hidden @ weights[f"lstm.weight_hh_l0{way}"].T + weights[f"lstm.bias_hh_l0{way}"]
        enter, forget, new, leave = np.split(gates, 4)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
        hidden = sigmoid(leave) * np.tanh(cell)
    return hidden


def plain_layer(x: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    w = {name.removeprefix("layer."): value for name, value in weights.items()}
    projected = x @ w["self_attn.in_proj_weight"].T + w["self_attn.in_proj_bias"]
    heads = []
    for head in range(2):
        q, k, v = (np.split(part, 2, axis=1)[head] for part in np.split(projected, 3, axis=1))
        scores = q @ k.T / math.sqrt(WIDTH // 2)
        shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        heads.append(shares @ v)
    attended = np.concatenate(heads, 1) @ w["self_attn.out_proj.weight"].T
    x = plain_norm(x + attended + w["self_attn.out_proj.bias"], w["norm1.weight"], w["norm1.bias"])
    inner = np.maximum(x @ w["linear1.weight"].T + w["linear1.bias"], 0)
    outer = inner @ w["linear2.weight"].T + w["linear2.bias"]
    return plain_norm(x + outer, w["norm2.weight"], w["norm2.bias"])


def plain_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5) * weight + bias


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_every_utterance_of_a_batch_is_what_plain_arithmetic_says(kind, seed):
    """Whatever the padding and the neighbours: upstream's transformer sums its padding too."""
    encoder = made(kind, seed)
    tokens, lengths = drawn(seed)
    with torch.no_grad():
        found = encoder(tokens, lengths)
    for row, length, summary in zip(tokens, lengths, found.summary, strict=True):
        wanted = plain(encoder, kind, row[:length].tolist())
        assert np.allclose(summary.numpy(), wanted, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 1000), more=st.integers(1, 9))
def test_padding_changes_nothing(kind, seed, more):
    encoder = made(kind, 0)
    tokens, lengths = drawn(seed)
    longer = torch.nn.functional.pad(tokens, (0, more))
    with torch.no_grad():
        short, long = encoder(tokens, lengths), encoder(longer, lengths)
    torch.testing.assert_close(short.summary, long.summary)
    for i, length in enumerate(lengths):
        torch.testing.assert_close(short.words[i, :length], long.words[i, :length])


def test_upstream_padding_is_there_to_be_had():
    """As the official code has it, 8 more tokens of padding turn the vector away."""
    model = small_official("transformer_learned")
    tokens, lengths = torch.tensor([[2, 5, 9, 3]]), torch.tensor([4])
    padded = torch.nn.functional.pad(tokens, (0, 8))
    cosine = (model.encode_text(tokens, lengths) * model.encode_text(padded, lengths)).sum()
    assert cosine < 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_padding_has_no_part_in_learning(kind):
    encoder = made(kind, 0)
    encoder(*drawn(1)).summary.square().sum().backward()
    assert not encoder.embedding.weight.grad[0].any()
    assert encoder.embedding.weight.grad[1:].any()


@pytest.mark.parametrize("kind", ["lstm", "bilstm"])
def test_an_lstm_loses_the_same_inputs_at_every_word(kind):
    torch.manual_seed(0)
    encoder = utterance_encoder(KINDS[kind], WIDTH)
    assert isinstance(encoder, RecurrentUtterance)
    embedded = torch.ones(50, 6, WIDTH)
    dropped = encoder._dropped(embedded)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(encoder.eval()._dropped(embedded), embedded)


def test_order_matters_to_all_but_a_bag_of_words():
    tokens, lengths = torch.tensor([[4, 5, 6]]), torch.tensor([3])
    for kind in KINDS:
        encoder = made(kind, 0)
        same = torch.allclose(
            encoder(tokens, lengths).summary, encoder(tokens.flip(1), lengths).summary
        )
        assert same == (kind in ("embedding", "transformer")), kind


def test_an_utterance_longer_than_there_are_positions_is_refused():
    encoder = made("learned", 0)
    with pytest.raises(ValueError, match="of 26 tokens is longer than the 25 that have a position"):
        encoder(torch.ones(1, 26, dtype=torch.int64), torch.tensor([26]))


def test_sinusoids_are_those_of_the_paper():
    table = sinusoids(25, 6)
    for place, i in ((0, 0), (7, 1), (24, 2)):
        angle = place / 10000 ** (2 * i / 6)
        assert math.isclose(table[place, 2 * i], math.sin(angle), abs_tol=1e-5)
        assert math.isclose(table[place, 2 * i + 1], math.cos(angle), abs_tol=1e-5)
