import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from firsthand.policy.config import TrunkConfig
from firsthand.policy.layout import Layout, TokenGroup
from firsthand.policy.modules.transformer import Trunk, rotate, rotation

STEPS = 3
LAYOUT = Layout((TokenGroup("seen", 4),), (TokenGroup("asked", 2),), "causal")
WHOLE = Layout(LAYOUT.observed, (*LAYOUT.queries, TokenGroup("left out", 3)), "causal")


def make(position: str, **changes: int) -> Trunk:
    """A small trunk whose every parameter matters."""
    torch.manual_seed(0)
    values = {"width": 16, "depth": 2, "heads": 4} | changes
    trunk = Trunk(TrunkConfig(intra_step_attention="causal", position=position, **values)).eval()
    with torch.no_grad():
        for parameter in trunk.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return trunk


def inputs(batch: int = 2, steps: int = STEPS) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(batch, steps * 4, 16), torch.randn(batch, steps * 2, 16)


def turned(x: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    return rotate(x, rotation(frames, x.shape[-1]))


@pytest.mark.parametrize("position", ["time", "learned"])
def test_a_trunk_gives_what_gpt2_gives_under_the_same_mask(position):
    """Hugging Face's GPT-2, given our weights and our tokens interleaved, must agree: without its
    positions (GR-1), or with them, those of the queries that are not asked left empty
    (GR1-Training)."""
    from transformers import GPT2Config, GPT2Model

    trunk = make(position)
    theirs = GPT2Model(
        GPT2Config(
            n_embd=16, n_layer=2, n_head=4, vocab_size=1, activation_function="relu",
            attn_implementation="eager",
        )
    ).eval()  # fmt: skip
    if position == "time":
        theirs.wpe.weight.data.zero_()
    else:
        theirs.wpe.weight.data.copy_(trunk.embed_position.weight)
    theirs.ln_f.load_state_dict(trunk.output_norm.state_dict())
    for ours, block in zip(trunk.blocks, theirs.h, strict=True):
        block.ln_1.load_state_dict(ours.attention_norm.state_dict())
        block.ln_2.load_state_dict(ours.mlp_norm.state_dict())
        pairs = (
            (ours.query_key_value, block.attn.c_attn),
            (ours.attention_out, block.attn.c_proj),
            (ours.mlp_in, block.mlp.c_fc),
            (ours.mlp_out, block.mlp.c_proj),
        )
        for linear, conv in pairs:
            conv.weight.data.copy_(linear.weight.T)
            conv.bias.data.copy_(linear.bias)
    observed, queries = inputs()
    places = LAYOUT.position_ids(STEPS, WHOLE)
    mask, keys = LAYOUT.mask(STEPS), observed.shape[1]
    length = STEPS * (WHOLE.observed_size + WHOLE.query_size)
    sequence = torch.zeros(2, length, 16)
    sequence[:, places] = torch.cat([observed, queries], dim=1)
    unseen = torch.full((2, 1, length, length), torch.finfo(torch.float32).min)
    unseen[:, :, places[:, None], places[:keys]] *= ~mask
    embedded = trunk.input_norm(sequence)
    expected = theirs(inputs_embeds=embedded, attention_mask=unseen)[0][:, places[keys:]]
    mine = trunk(observed, queries, mask[None, None], places if position == "learned" else None)
    assert torch.allclose(mine, expected, atol=1e-5)


def test_a_sequence_beyond_the_last_place_is_refused():
    trunk, (observed, queries) = make("learned"), inputs()
    long = Layout(LAYOUT.observed, (TokenGroup("left out", 500), *LAYOUT.queries), "causal")
    with pytest.raises(ValueError, match="knows 1024 places: a sequence of 1518 tokens"):
        trunk(observed, queries, None, LAYOUT.position_ids(STEPS, long))


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(-10_000, 10_000))
def test_scores_depend_on_the_difference_of_frames_alone(first, second, shift):
    torch.manual_seed(0)
    q, k = torch.randn(2, 1, 1, 1, 8)

    def score(q_frame: int, k_frame: int) -> torch.Tensor:
        return (turned(q, torch.tensor([q_frame])) * turned(k, torch.tensor([k_frame]))).sum()

    assert torch.allclose(
        score(first, second), score(first + shift, second + shift), atol=1e-5, rtol=1e-5
    )
    assert torch.allclose(score(first, first), (q * k).sum(), atol=1e-5, rtol=1e-5)


def test_turning_keeps_lengths_and_tells_frames_apart():
    x = torch.randn(1, 2, 5, 8)
    y = turned(x, torch.arange(5))
    assert torch.allclose(x.norm(dim=-1), y.norm(dim=-1), atol=1e-5)
    assert torch.equal(x[:, :, 0], y[:, :, 0])
    same = turned(x[:, :, :1].expand(-1, -1, 5, -1), torch.arange(5))
    assert (same[:, :, 1:] - same[:, :, :-1]).abs().amax() > 0.1


def test_a_head_of_odd_width_cannot_be_turned():
    with pytest.raises(ValueError, match="a head cannot be 3 wide"):
        rotation(torch.arange(2), 3)


def test_a_rotary_trunk_knows_frames_only_by_their_difference():
    trunk, (observed, queries) = make("rotary"), inputs()
    mask, frames = LAYOUT.mask(STEPS)[None, None], LAYOUT.frames(STEPS)
    outputs = trunk(observed, queries, mask, frames)
    assert torch.allclose(outputs, trunk(observed, queries, mask, frames + 1000), atol=1e-5)
    assert not torch.allclose(outputs, trunk(observed, queries, mask, 2 * frames), atol=1e-3)


@pytest.mark.parametrize("position", ["time", "learned", "rotary"])
def test_asking_at_the_last_step_alone_changes_nothing(position):
    trunk, (observed, queries) = make(position), inputs()
    where = {
        "time": lambda asked: None,
        "learned": lambda asked: LAYOUT.position_ids(STEPS, WHOLE, asked),
        "rotary": lambda asked: LAYOUT.frames(STEPS, asked),
    }[position]
    every = trunk(observed, queries, LAYOUT.mask(STEPS)[None, None], where(None))
    mask = LAYOUT.mask(STEPS, query_steps=1)[None, None]
    last = trunk(observed, queries[:, -2:], mask, where(1))
    assert torch.allclose(every[:, -2:], last, atol=1e-6)
