"""A clip of the corpus: a function of a seed, a number and the split that it belongs to."""

from dataclasses import replace

import numpy as np

from firsthand.envs.playtable.layouts import DeskLayout
from firsthand.envs.tasks.tasks import BLOCKS
from firsthand.episodes.episode import Episode, Narration
from firsthand.synthetic.hands.desk import free_stretches, sample_layout
from firsthand.synthetic.hands.film import StillBlock, film
from firsthand.synthetic.hands.head import move_head
from firsthand.synthetic.hands.look import sample_look
from firsthand.synthetic.hands.narration import narrate
from firsthand.synthetic.hands.play import ACTION_HZ, play

TWO_BLOCKS = 0.3  # share of the clips in which only two blocks are played with
BESIDE = 0.1  # metres between blocks that lie still


def make_clip(seed: int, index: int, split: str, seconds: float, fps: int, size: int) -> Episode:
    """The pictures of a head camera (`rgb_static`), what was said, and in `signals` and `source`
    what is true of it (docs/data.md). `fps` divides `ACTION_HZ`."""
    streams = np.random.SeedSequence([seed, index]).spawn(4)
    scene_rng, play_rng, head_rng, word_rng = (np.random.default_rng(s) for s in streams)
    layout = sample_layout(scene_rng)
    blocks = _some_blocks(scene_rng)
    still = _still_blocks(layout, scene_rng)
    look = sample_look(split, len(blocks) + len(still), scene_rng)
    every = ACTION_HZ // fps
    done = play(replace(layout, finish=look.finish), blocks, round(seconds * fps) * every, play_rng)
    head = move_head(done.robot[:, :3], head_rng)
    shown = film(done, still, look, head, size, every)
    remarks = narrate(done, look.blocks, word_rng)
    narrations = tuple(
        Narration(one.first / ACTION_HZ, one.last / ACTION_HZ, one.text) for one in remarks
    )
    named = np.full(len(shown.rgb), -1, np.int8)
    for one in remarks:
        if one.present:
            named[-(-one.first // every) : -(-one.last // every)] = shown.things.index(one.named)
    return Episode(
        {"rgb_static": shown.rgb},
        float(fps),
        narrations=narrations,
        signals={
            "place": shown.place,
            "pixel": shown.pixel,
            "area": shown.area,
            "named": named,
            "hand": shown.hand,
            "hand_pixel": shown.hand_pixel,
        },
        source={
            "source": "hands",
            "seed": seed,
            "index": index,
            "things": list(shown.things),
            "look": dict(look.names),
            "said": [{"task": o.task, "named": o.named, "present": o.present} for o in remarks],
        },
    )


def _some_blocks(rng: np.random.Generator) -> tuple[str, ...]:
    """The blocks that take part: three, or two of them."""
    without = int(rng.integers(len(BLOCKS))) if rng.random() < TWO_BLOCKS else None
    return tuple(block for i, block in enumerate(BLOCKS) if i != without)


def _still_blocks(layout: DeskLayout, rng: np.random.Generator) -> tuple[StillBlock, ...]:
    """None to two blocks where nothing is done."""
    stretches = free_stretches(layout)
    low, high = stretches[int(rng.integers(len(stretches)))]
    count = int(rng.integers(0, 3 if high - low > BESIDE else 2))
    xs = [low, high] if count == 2 else [float(rng.uniform(low, high))] * count
    return tuple(
        StillBlock(
            str(rng.choice(["small", "middle"])),
            x, float(rng.uniform(-0.15, -0.05)), float(rng.uniform(0, np.pi)),
        )
        for x in xs
    )  # fmt: skip
