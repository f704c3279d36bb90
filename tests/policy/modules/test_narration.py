"""What is said tied to what is seen: the losses against plain loops, and what they teach."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from firsthand.policy.config import NarrationConfig
from firsthand.policy.modules.narration import NarrationHeads, changed_places
from firsthand.policy.policy import Policy
from tests.policy.conftest import SEEN, make, tiny

CONFIG = NarrationConfig(maps=2)
CELLS, WIDTH = 4, 5


def heads() -> NarrationHeads:
    torch.manual_seed(0)
    return NarrationHeads(
        CONFIG, image_width=3, instruction_width=6, trunk_width=WIDTH, cells=CELLS
    )


def frames(seed: int, count: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    sentences = torch.randn(3, 6, generator=draw)
    attention = torch.rand(count, 3, CELLS, CELLS, generator=draw)
    return {
        "instruction": sentences[torch.randint(3, (count,), generator=draw)],
        "grid": torch.randn(count, 3, CELLS, CELLS, generator=draw),
        "attention": attention / attention.sum((2, 3), keepdim=True),
        "query": torch.randn(count, WIDTH, generator=draw),
        "changed": torch.rand(count, CELLS, CELLS, generator=draw) > 0.6,
    }


@torch.no_grad()
@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 6))
def test_the_losses_are_what_plain_loops_say(seed: int, count: int) -> None:
    module, given_ = heads(), frames(seed, count)
    found = module(**given_)
    some = [i for i in range(count) if given_["changed"][i].any()]

    def score(sentence: int, picture: int, row: int, column: int) -> float:
        a = module.sentence(given_["instruction"][sentence])
        b = module.place(given_["grid"][picture, :, row, column])
        return float(a @ b / a.norm() / b.norm() / CONFIG.temperature)

    def cells(picture: int) -> list[tuple[int, int]]:
        return [tuple(cell) for cell in given_["changed"][picture].nonzero().tolist()]

    contrastive = attention = pointing = 0.0
    for i in some:
        same = [
            torch.equal(given_["instruction"][i], given_["instruction"][j]) for j in range(count)
        ]
        others = [j for j in some if j == i or not same[j]]
        best = {(s, p): max(score(s, p, *c) for c in cells(p)) for s in some for p in some}
        mine = math.exp(best[i, i])
        contrastive -= math.log(mine / sum(math.exp(best[i, j]) for j in others)) / 2
        contrastive -= math.log(mine / sum(math.exp(best[j, i]) for j in others)) / 2
        weights = {c: math.exp(score(i, i, *c)) for c in cells(i)}
        total = sum(weights.values())
        rows = module.row(given_["query"][i]).log_softmax(0)
        columns = module.column(given_["query"][i]).log_softmax(0)
        for (row, column), weight in weights.items():
            share = weight / total
            map_ = given_["attention"][i, :2, row, column].mean()
            attention -= share * math.log(max(1e-6, float(map_)))
            pointing -= share * float(rows[row] + columns[column])
    count = max(1, len(some))
    wanted = (contrastive / count, attention / count, pointing / count)
    np.testing.assert_allclose([float(loss.detach()) for loss in found], wanted, atol=2e-4)


def test_without_anything_that_changes_there_is_nothing_to_learn() -> None:
    given_ = frames(0, 3)
    losses = heads()(**given_ | {"changed": torch.zeros(3, CELLS, CELLS, dtype=torch.bool)})
    assert [float(loss.detach()) for loss in losses] == [0, 0, 0]
    sum(losses).backward()


def test_places_that_change() -> None:
    now = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    future = now.clone()
    future[0, 1, 2:4, 4:6] = 200  # the whole of a place
    future[0, 2, 7, 7] = 40  # a quarter of a place, 40 / 255 / 4 = 0.039 on average
    changed = changed_places(now, future, 4, 0.04)
    assert changed.nonzero().tolist() == [[0, 1, 2]]
    assert changed_places(now, future, 4, 0.038).sum() == 2


def test_frames_that_nobody_speaks_about_do_not_count(make_batch) -> None:
    config = tiny(narration=CONFIG)
    policy, batch = make(config), make_batch(config, size=4)
    batch.narrated[1] = False
    some = policy(batch).narration
    told = [0, 2, 3]
    alone = {
        name: {c: p[told] for c, p in value.items()} if isinstance(value, dict) else value[told]
        for name, value in vars(batch).items()
        if value is not None
    }
    rest = policy(replace(batch, **alone)).narration
    for name, loss in rest.items():
        torch.testing.assert_close(some[name], loss, msg=name)


@pytest.mark.parametrize("video", [False, True])
def test_the_place_that_a_sentence_names_is_learned(video: bool) -> None:
    """Two blobs, of which the one that the sentence names vanishes: after some steps the maps look
    at it in pictures that were not learned from, before it vanishes."""
    config = tiny(n_obs_steps=1, narration=NarrationConfig(maps=2))
    torch.manual_seed(0)
    policy = Policy(config, SEEN)
    colours = torch.tensor([[250, 20, 20], [20, 250, 20], [20, 20, 250]], dtype=torch.uint8)
    words = torch.nn.functional.normalize(torch.randn(3, config.language.width), dim=-1)

    def batch(size: int, draw: torch.Generator):
        from firsthand.policy.batch import Batch

        images = torch.full((size, 1, 3, 32, 32), 90, dtype=torch.uint8)
        future, rows = images.clone(), torch.zeros(size, 2, dtype=torch.long)
        named = torch.randint(3, (size,), generator=draw)
        for i in range(size):
            places = torch.randperm(16, generator=draw)[:2]
            for place, colour in zip(places, (named[i], (named[i] + 1) % 3), strict=True):
                y, x = divmod(int(place), 4)
                area = (i, 0, slice(None), slice(8 * y, 8 * y + 8), slice(8 * x, 8 * x + 8))
                images[area] = colours[colour][:, None, None]
                if colour != named[i]:
                    future[area] = images[area]
                else:
                    rows[i] = torch.tensor([y, x])
        some = torch.ones(size, 1, dtype=torch.bool)
        return Batch(
            images={"rgb_static": images}, valid=some, instruction=words[named],
            future={"rgb_static": future}, future_valid=some, narrated=some,
        ), rows  # fmt: skip

    draw = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=3e-3)
    for _ in range(60):
        losses = policy(batch(24, draw)[0])
        loss = losses.total if video else sum(losses.narration.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    unseen, rows = batch(40, draw)
    with torch.no_grad():
        _, views = policy.embed_observation(unseen)
    attention = views["rgb_static"].attention[:, 0, :2].mean(1)  # (n 8 8): two cells a place
    looked = torch.nn.functional.avg_pool2d(attention[:, None], 2)[:, 0].flatten(1).argmax(1)
    found = torch.stack([looked // 4, looked % 4], dim=1)
    assert (found == rows).all(1).float().mean() > 0.9
