import dataclasses
import threading
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from firsthand.common.errors import UserError
from firsthand.episodes.sampling.order import Shuffled
from firsthand.training.augment import UNCHANGED, shift_of, shifted_into
from firsthand.training.config import TrainConfig
from firsthand.training.distributed import Distributed
from firsthand.training.loader import Embedder, TrainLoader, collate, worker_options
from tests.helpers.tiny_policy import TinyWindows, held_out, make_policy

CONFIG = TrainConfig(steps=9, batch_size=4, warmup=0, seed=7)


def load(config, team=None, done=0, windows=TinyWindows()):  # noqa: B008
    embed = Embedder(make_policy().encode_instructions)
    return list(TrainLoader(windows, embed, config, team or Distributed(), done))


def equal(one, other):
    return all(
        torch.equal(getattr(one, name), getattr(other, name))
        for name in ("state", "actions", "instruction", "valid")
    ) and torch.equal(one.images["rgb_static"], other.images["rgb_static"])


@given(
    height=st.integers(4, 9),
    width=st.integers(4, 9),
    rows=st.integers(-3, 3),
    cols=st.integers(-3, 3),
)
def test_shift_against_a_naive_loop(height, width, rows, cols):
    frames = np.random.default_rng(0).integers(0, 256, (3, height, width, 3), dtype=np.uint8)
    target = np.zeros_like(frames)
    shifted_into(target, frames, rows, cols)
    for y in range(height):
        for x in range(width):
            source = frames[:, min(max(y + rows, 0), height - 1), min(max(x + cols, 0), width - 1)]
            assert np.array_equal(target[:, y, x], source)


def test_a_shift_is_the_same_over_all_frames_and_their_futures():
    class Still(TinyWindows):
        """Every picture of a window is the same."""

        def __getitem__(self, index):
            window = super().__getitem__(index)
            picture = window.frames["rgb_static"][:1]
            frames = {"rgb_static": np.repeat(picture, self.frames, axis=0)}
            return dataclasses.replace(window, frames=frames, future=frames)

    config = dataclasses.replace(CONFIG, shift={"rgb_static": 3})
    moved = 0
    for batch, plain in zip(
        load(config, windows=Still()), load(CONFIG, windows=Still()), strict=True
    ):
        pictures = batch.images["rgb_static"]
        assert torch.equal(pictures[:, :1].expand_as(pictures), pictures)
        assert torch.equal(pictures, batch.future["rgb_static"])
        moved += int((pictures != plain.images["rgb_static"]).flatten(1).any(1).sum())
    assert moved > 25


def test_shifts_differ_between_samples_epochs_and_cameras():
    draws = {shift_of(0, e, i, [9, 9])[c] for e in range(3) for i in range(9) for c in range(2)}
    assert len(draws) > 30
    assert all(abs(rows) <= 9 and abs(cols) <= 9 for rows, cols in draws)


def test_every_epoch_shows_every_window_once():
    config = dataclasses.replace(CONFIG, steps=37)
    seen = torch.cat([batch.state for batch in load(config)])
    assert len(seen) == 4 * 37
    order = np.concatenate([Shuffled(37, config.seed).indices(epoch) for epoch in range(4)])
    expected = torch.stack([torch.from_numpy(TinyWindows()[int(i)].state) for i in order])
    assert torch.equal(seen, expected)


def test_resuming_continues_where_it_was():
    config = dataclasses.replace(CONFIG, accumulate=3, shift={"rgb_static": 2})
    whole, rest = load(config), load(config, done=5)
    assert len(whole) == 27
    assert len(rest) == 12
    assert all(equal(one, other) for one, other in zip(whole[15:], rest, strict=True))


def test_two_processes_share_the_batches_of_one():
    config = dataclasses.replace(CONFIG, shift={"rgb_static": 2})
    together = load(dataclasses.replace(config, batch_size=8))
    shares = [load(config, Distributed(rank=rank, size=2)) for rank in range(2)]
    for whole, first, second in zip(together, *shares, strict=True):
        assert torch.equal(whole.state, torch.cat([first.state, second.state]))
        pictures = [share.images["rgb_static"] for share in (first, second)]
        assert torch.equal(whole.images["rgb_static"], torch.cat(pictures))


def test_pictures_are_channels_first():
    window = TinyWindows()[3]
    _, fields = collate([window], [UNCHANGED])
    pictures = fields["images"]["rgb_static"]
    assert pictures.shape == (1, 2, 3, 16, 16)
    assert np.array_equal(pictures[0].permute(0, 2, 3, 1).numpy(), window.frames["rgb_static"])


def test_sentences_are_encoded_once():
    asked = []

    def encode(sentences):
        asked.extend(sentences)
        return torch.ones(len(sentences), 2)

    embed = Embedder(encode)
    assert embed(["a", "b", "a"]).shape == (3, 2)
    embed(["b", "c"])
    assert asked == ["a", "b", "c"]


def test_windows_that_disagree_are_refused():
    window, video = TinyWindows()[0], TinyWindows(act=False)[1]
    with pytest.raises(UserError, match="1 of the 2 windows of a batch have no state"):
        collate([window, video], [UNCHANGED] * 2)
    other = dataclasses.replace(window, frames={"rgb_gripper": window.frames["rgb_static"]})
    with pytest.raises(UserError, match="differ in cameras or picture sizes: .*rgb_gripper"):
        collate([window, other], [UNCHANGED] * 2)


def test_held_out_batches_are_few_and_fixed():
    judge = held_out(TinyWindows(10))
    batches = [list(judge.batches(4, 5)) for _ in range(2)]
    assert [[len(batch.valid) for batch in some] for some in batches] == [[4, 4, 2]] * 2
    assert all(equal(one, other) for one, other in zip(*batches, strict=True))
    assert len(list(judge.batches(4, 1))) == 1


def test_no_windows_are_refused():
    with pytest.raises(UserError, match="no window to train on"):
        load(CONFIG, windows=TinyWindows(0))
    with pytest.raises(UserError, match="no held-out window"):
        held_out(TinyWindows(0)).examples()


class SharesForEver(Dataset[torch.Tensor]):
    """Reading its first items leaves threads behind that are always in torch's C++."""

    def __getitem__(self, index: int) -> torch.Tensor:
        def share():
            while True:
                torch.empty(64).share_memory_()

        if index < 4:
            for _ in range(3):
                threading.Thread(target=share, daemon=True).start()
        return torch.zeros(4)


def test_a_loader_can_be_dropped_while_its_processes_hand_over_tensors():
    """Without `worker_init_fn` they abort, and the loader raises when it is collected."""
    loader = DataLoader(SharesForEver(), sampler=range(1000), batch_size=None, **worker_options(2))
    batches: Any = iter(loader)
    for _ in range(8):
        next(batches)
    workers = batches._workers
    batches._shutdown_workers()
    assert [worker.exitcode for worker in workers] == [0, 0]
