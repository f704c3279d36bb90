"""What one more frame costs the trunk: reading the whole window again, or its own tokens alone.

All ways read the same frames by turns. Reading everything again is done as training does it (all
queries at every frame), as the released GR-1 acts (the action query at every frame), and with one
action query in all; keys and values in a ring spare all but the new frame.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.benchmarks.stopwatch import timed_call
from firsthand.policy.config import PolicyConfig
from firsthand.policy.layout import Layout, TokenGroup
from firsthand.policy.modules.kv_cache import RingKVCache
from firsthand.policy.modules.transformer import Trunk

RIGHT = "ring, fp32"
RELEASED = "window, a query a frame"


@dataclass(frozen=True)
class TrunkTime:
    """median: milliseconds a frame; ratio: how much faster than acting as the released GR-1 does;
    error: of the action query's output against the training forward over all frames so far, the
    largest of all steps, relative (None: a window that is read anew knows nothing of the frames
    before it)."""

    way: str
    median: float
    ratio: float
    error: float | None


@torch.inference_mode()
def trunk_times(config: PolicyConfig, steps: int, seed: int) -> list[TrunkTime]:
    """Measure `steps` frames after the window is full, with random weights and tokens.

    Args:
        config: of a policy; its trunk is measured with rotary positions, for one world.
        steps: measured ones.
        seed: of weights and tokens.
    """
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trunk = Trunk(replace(config.trunk, position="rotary")).eval().to(device)
    acting, training = layout_of(config, act_only=True), layout_of(config, act_only=False)
    width, length = config.trunk.width, config.n_obs_steps
    frames = torch.randn(length + steps, acting.observed_size, width, device=device)
    queries = torch.randn(training.query_size, width, device=device)
    right = whole_past(trunk, acting, frames, queries, length)

    window = {
        "window, all queries": rereading(trunk, training, frames, queries, length, None),
        RELEASED: rereading(trunk, acting, frames, queries, length, None),
        "window, one query": rereading(trunk, acting, frames, queries, length, 1),
    }
    half = copy.deepcopy(trunk).bfloat16()
    ring = {
        RIGHT: streaming(trunk, acting, frames, queries, length),
        "ring, bf16": streaming(half, acting, frames.bfloat16(), queries.bfloat16(), length),
    }
    taken: dict[str, list[float]] = {name: [] for name in window | ring}
    outputs: dict[str, list[Tensor]] = {name: [] for name in ring}
    for step in range(len(frames)):
        for name, read in (ring | (window if step >= length else {})).items():
            output, milliseconds = timed_call(device, read, step)
            if step >= length:
                taken[name].append(milliseconds)
                if name in ring:
                    outputs[name].append(output.float())
    medians = {name: sorted(times)[len(times) // 2] for name, times in taken.items()}
    times = []
    for name, median in medians.items():
        error = None
        if name in ring:
            wrong = (torch.stack(outputs[name]) - right[length:]).norm(dim=-1)
            error = float((wrong / right[length:].norm(dim=-1)).max())
        times.append(TrunkTime(name, median, medians[RELEASED] / median, error))
    return times


def layout_of(config: PolicyConfig, *, act_only: bool) -> Layout:
    """The tokens of a step: as many as the policy has, in two groups."""
    summary = 1 if config.images.encoder == "vit" else 0
    images = len(config.cameras) * (config.pool.tokens + summary)
    queries = [TokenGroup("action", 1)]
    if not act_only:
        queries.append(TokenGroup("future", len(config.cameras) * config.video.queries))
    return Layout(
        (TokenGroup("instruction, state", 2), TokenGroup("cameras", images)),
        tuple(queries),
        config.trunk.intra_step_attention,
    )


def whole_past(
    trunk: Trunk,
    layout: Layout,
    frames: Float[Tensor, "t k d"],
    queries: Float[Tensor, "q d"],
    window: int,
) -> Float[Tensor, "t d"]:
    """The action query's output at every frame, all frames read at once as training does."""
    steps = len(frames)
    mask = layout.mask(steps, window).to(frames.device)[None, None]
    query = queries[:1].expand(steps, -1)
    return trunk(frames.flatten(0, 1)[None], query[None], mask, layout.frames(steps))[0]


def rereading(
    trunk: Trunk,
    layout: Layout,
    frames: Float[Tensor, "t k d"],
    queries: Float[Tensor, "q d"],
    window: int,
    query_steps: int | None,
) -> Callable[[int], Tensor]:
    """The trunk over the last `window` frames up to a given one."""
    mask = layout.mask(window, window, query_steps).to(frames.device)[None, None]
    positions = layout.frames(window, query_steps)
    wanted = queries[: layout.query_size].repeat(query_steps or window, 1)[None]

    def read(step: int) -> Tensor:
        observed = frames[step + 1 - window : step + 1].flatten(0, 1)[None]
        return trunk(observed, wanted, mask, positions)

    return read


def streaming(
    trunk: Trunk,
    layout: Layout,
    frames: Float[Tensor, "t k d"],
    queries: Float[Tensor, "q d"],
    window: int,
) -> Callable[[int], Tensor]:
    """The trunk over one frame after the other, the others' keys and values kept."""
    ring = RingKVCache(trunk.config, window, layout.observed_size, dtype=frames.dtype)
    ring.to(frames.device)
    within = layout.mask(1).to(frames.device)

    def read(step: int) -> Tensor:
        return trunk.step(frames[step][None], queries[None, :1], within, ring)[0, 0]

    return read
