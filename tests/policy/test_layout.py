import torch
from hypothesis import given
from hypothesis import strategies as st

from policy.config import TrunkConfig
from policy.layout import Layout, TokenGroup
from policy.trunk import Trunk

groups = st.lists(st.integers(1, 3), min_size=1, max_size=3)


def build(observed: list[int], queries: list[int], within: str) -> Layout:
    return Layout(
        tuple(TokenGroup(f"o{i}", n) for i, n in enumerate(observed)),
        tuple(TokenGroup(f"q{i}", n) for i, n in enumerate(queries)),
        within,
    )


@given(groups, groups, st.integers(1, 4), st.sampled_from(["full", "causal"]))
def test_mask_equals_a_brute_force_oracle(observed, queries, steps, within):
    layout = build(observed, queries, within)
    keys = [(step, place) for step in range(steps) for place in range(sum(observed))]
    rows = [("observed", *key) for key in keys]
    rows += [("query", step, place) for step in range(steps) for place in range(sum(queries))]

    def may_look(kind: str, step: int, place: int, key: tuple[int, int]) -> bool:
        key_step, key_place = key
        if key_step != step:
            return key_step < step
        return kind == "query" or within == "full" or key_place <= place

    expected = [[may_look(*row, key) for key in keys] for row in rows]
    assert layout.mask(steps).tolist() == expected


@given(groups, groups, st.integers(1, 3))
def test_split_gives_every_query_its_own_rows(observed, queries, steps):
    layout = build(observed, queries, "full")
    rows = steps * (sum(observed) + sum(queries))
    outputs = torch.arange(rows, dtype=torch.float32).expand(1, 1, -1).transpose(1, 2)
    parts = layout.split(outputs, steps)
    first = steps * sum(observed)
    for step in range(steps):
        for group in layout.queries:
            for place in range(group.size):
                assert parts[group.name][0, step, place, 0] == first
                first += 1


def test_trunk_gives_what_gpt2_gives_under_the_same_mask():
    """The blocks are GPT-2's: Hugging Face's, given our weights and no positions, must agree."""
    from transformers import GPT2Config, GPT2Model

    torch.manual_seed(0)
    config = TrunkConfig(width=16, depth=2, heads=4, within_step="causal")
    trunk = Trunk(config).eval()
    theirs = GPT2Model(
        GPT2Config(
            n_embd=16, n_layer=2, n_head=4, n_positions=9, vocab_size=1, activation_function="relu"
        )
    ).eval()
    theirs.wpe.weight.data.zero_()
    for ours, block in zip(trunk.blocks, theirs.h, strict=True):
        pairs = (
            (ours.query_key_value, block.attn.c_attn),
            (ours.attention_out, block.attn.c_proj),
            (ours.mlp_in, block.mlp.c_fc),
            (ours.mlp_out, block.mlp.c_proj),
        )
        for linear, conv in pairs:
            conv.weight.data.copy_(linear.weight.T)
            conv.bias.data.copy_(linear.bias)
    x = torch.randn(2, 9, 16)
    mask = build([9], [], "causal").mask(1)[None, None]
    mine = trunk(x, x[:, :0], mask)
    assert torch.allclose(mine, theirs(inputs_embeds=trunk.input_norm(x))[0], atol=1e-5)
