"""Going step by step with remembered keys and values must say what the whole sequence says."""

from dataclasses import replace

import pytest
import torch

from firsthand.cli import settings
from firsthand.commands.pretrain import SCHEMA
from firsthand.policy.config import TrunkConfig
from firsthand.policy.layout import Layout, TokenGroup
from firsthand.policy.modules.kv_cache import RingKVCache
from firsthand.policy.modules.transformer import Trunk

STEPS = 44


def make(within: str, depth: int = 3, position: str = "rotary") -> tuple[Trunk, Layout]:
    torch.manual_seed(0)
    config = TrunkConfig(
        width=16, depth=depth, heads=2, dropout=0.1, intra_step_attention=within, position=position
    )
    trunk = Trunk(config).eval()
    with torch.no_grad():
        for parameter in trunk.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    observed = (TokenGroup("instruction", 1), TokenGroup("picture", 2))
    return trunk, Layout(observed, (TokenGroup("action", 1), TokenGroup("future", 2)), within)


def sequence(steps: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, steps, 3, 16, generator=generator), torch.randn(
        1, steps, 3, 16, generator=generator
    )


def whole(
    trunk: Trunk, layout: Layout, observed: torch.Tensor, queries: torch.Tensor, window: int
) -> torch.Tensor:
    """What training computes: the output of every step's queries."""
    steps = observed.shape[1]
    mask = layout.mask(steps, window)[None, None]
    with torch.no_grad():
        outputs = trunk(observed.flatten(1, 2), queries.flatten(1, 2), mask, layout.frames(steps))
    return outputs.unflatten(1, (steps, -1))


@pytest.mark.parametrize("within", ["full", "causal"])
@pytest.mark.parametrize("window", [1, 3, 10])
def test_step_by_step_says_what_the_whole_sequence_says(window, within):
    trunk, layout = make(within)
    observed, queries = sequence(STEPS, seed=1)
    expected = whole(trunk, layout, observed, queries, window)
    ring = RingKVCache(trunk.config, window, layout.observed_size)
    mask = layout.mask(1)
    for t in range(STEPS):
        said = trunk.step(observed[:, t], queries[:, t], mask, ring)
        assert torch.allclose(said, expected[:, t], atol=1e-5), t


@pytest.mark.parametrize("within", ["full", "causal"])
@pytest.mark.parametrize("window", [3, 10])
def test_seats_begin_anew_and_pause_whenever_they_like(window, within):
    """Four seats, each stepping at random times through episodes of different lengths."""
    trunk, layout = make(within)
    ring = RingKVCache(trunk.config, window, layout.observed_size, num_envs=4)
    mask = layout.mask(1)
    generator = torch.Generator().manual_seed(2)
    lengths = {seat: [5 + 7 * seat, 21, 12] for seat in range(4)}
    lengths[3].append(41)
    episodes = [
        [sequence(n, 10 * seat + i) for i, n in enumerate(lengths[seat])] for seat in range(4)
    ]
    expected = [[whole(trunk, layout, *e, window) for e in es] for es in episodes]
    at = [[0, 0] for _ in range(4)]  # episode and step that come next, for every seat
    steps = 0
    while alive := [seat for seat in range(4) if at[seat][0] < len(episodes[seat])]:
        chosen = [s for s in alive if torch.rand((), generator=generator) < 0.8][::-1]
        if not chosen:
            continue
        seats = torch.tensor(chosen)
        beginning = torch.tensor([s for s in chosen if at[s][1] == 0], dtype=torch.long)
        ring.reset(beginning)
        now = [episodes[s][at[s][0]] for s in chosen]
        observed, queries = (
            torch.cat([e[i][:, at[s][1]] for s, e in zip(chosen, now, strict=True)]) for i in (0, 1)
        )
        said = trunk.step(observed, queries, mask, ring, seats)
        for row, seat in enumerate(chosen):
            episode, step = at[seat]
            assert torch.allclose(said[row], expected[seat][episode][0, step], atol=1e-5)
            last = step + 1 == lengths[seat][episode]
            at[seat] = [episode + 1, 0] if last else [episode, step + 1]
        steps += 1
    assert steps > STEPS


@pytest.mark.parametrize(("depth", "window"), [(1, 3), (2, 3), (3, 3), (2, 5)])
def test_a_frame_is_heard_of_for_as_long_as_the_layers_pass_it_on(depth, window):
    """Each layer looks window - 1 frames back: a frame matters for depth * (window - 1) more."""
    trunk, layout = make("causal", depth)
    observed, queries = sequence(16, seed=3)
    outputs = whole(trunk, layout, observed, queries, window)
    for frame in range(16):
        other = observed.clone()
        other[:, frame] += 1
        changed = (whole(trunk, layout, other, queries, window) - outputs).abs().amax((0, 2, 3))
        for step in range(16):
            heard = 0 <= step - frame <= depth * (window - 1)
            assert (changed[step] > 0) == heard, (frame, step)


def test_a_reset_seat_remembers_nothing_not_even_what_is_no_number():
    trunk, layout = make("full")
    ring = RingKVCache(trunk.config, 3, layout.observed_size, num_envs=2)
    observed, queries = sequence(2, seed=4)
    alone = trunk.step(
        observed[:, 0], queries[:, 0], layout.mask(1), RingKVCache(trunk.config, 3, 3)
    )
    broken = torch.full((2, 3, 16), torch.nan)
    trunk.step(broken, queries[0], layout.mask(1), ring)
    ring.reset(torch.tensor([1]))
    said = trunk.step(observed[:, 0], queries[:, 0], layout.mask(1), ring, torch.tensor([1]))
    assert torch.allclose(said, alone, atol=1e-6)
    assert ring.frames.tolist() == [1, 1]
    ring.reset()
    assert ring.frames.tolist() == [0, 0]


def test_nothing_grows_and_nothing_is_saved():
    trunk, layout = make("causal")
    ring = RingKVCache(trunk.config, 4, layout.observed_size)
    before = {name: b.data_ptr() for name, b in ring.named_buffers()}
    observed, queries = sequence(9, seed=5)
    for t in range(9):
        trunk.step(observed[:, t], queries[:, t], layout.mask(1), ring)
    assert {name: b.data_ptr() for name, b in ring.named_buffers()} == before
    assert not ring.state_dict()


def test_what_cannot_be_remembered_is_refused():
    trunk, layout = make("causal")
    (observed, queries), mask = sequence(1, seed=6), layout.mask(1)
    with pytest.raises(ValueError, match="room for 5 tokens a frame, not 3"):
        trunk.step(observed[:, 0], queries[:, 0], mask, RingKVCache(trunk.config, 3, 5))
    ring = RingKVCache(trunk.config, 3, 3)
    with pytest.raises(ValueError, match="training=True"):
        trunk.train().step(observed[:, 0], queries[:, 0], mask, ring)
    slot, _ = make("causal", position="time")
    with pytest.raises(ValueError, match="trunk.position=time"):
        slot.step(observed[:, 0], queries[:, 0], mask, ring)


def test_the_streaming_gr1_is_gr1_with_rotary_positions():
    gr1, streaming = (
        settings.load("pretrain", SCHEMA, [f"policy={name}"]).config.policy
        for name in ("gr1", "gr1_streaming")
    )
    assert streaming == replace(gr1, trunk=replace(gr1.trunk, position="rotary"))
    trunk, observed = Trunk(streaming.trunk).eval(), torch.zeros(1, 22, 384)
    ring = RingKVCache(streaming.trunk, streaming.n_obs_steps, 22)
    seen = Layout((TokenGroup("seen", 22),), (TokenGroup("action", 1),), "causal")
    assert trunk.step(observed, observed[:, :1], seen.mask(1), ring).shape == (1, 1, 384)
