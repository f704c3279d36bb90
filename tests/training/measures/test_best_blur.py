import dataclasses

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from firsthand.policy.batch import Batch
from firsthand.training.measures.best_blur import BestBlur, fit_best_blurs
from firsthand.training.validation import best_blurs
from tests.helpers.tiny_policy import SIZE, TinyWindows


def a_batch(seen, future, camera="rgb_static", **options):
    pictures = [{camera: (255 * x).round().to(torch.uint8)[:, None]} for x in (seen, future)]
    valid = torch.ones(len(seen), 1, dtype=torch.bool)
    return Batch(pictures[0], valid, torch.zeros(len(seen), 0), future=pictures[1], **options)


def random_batches(count=3, size=24):
    draw = torch.Generator().manual_seed(0)
    for _ in range(count):
        seen, noise = torch.rand(2, 5, 3, size, size, generator=draw)
        yield a_batch(seen, 0.6 * seen.roll(1, -1) + 0.3 * noise)


def terms(pictures):
    """The seven terms of every number of the pictures (n 3 s s), without any of our code."""
    size = pictures.shape[-1]
    columns = [pictures]
    for sigma in (1, 2, 4, 8):
        ramp = np.arange(size)
        bell = np.exp(-0.5 * ((ramp[:, None] - ramp) / sigma) ** 2)
        bell /= bell.sum(1, keepdims=True)
        columns.append(np.einsum("ij,ncjk,lk->ncil", bell, pictures, bell))
    columns.append(np.broadcast_to(pictures.mean((2, 3), keepdims=True), pictures.shape))
    columns.append(np.ones_like(pictures))
    return np.stack([column.ravel() for column in columns], 1)


def of_unit(pictures):
    return pictures["rgb_static"][:, 0].numpy().astype(np.float64) / 255


def test_the_fit_is_numpy_s_least_squares():
    some = list(random_batches())
    blur = fit_best_blurs(some, {"rgb_static": 24})["rgb_static"]
    rows = np.concatenate([terms(of_unit(batch.images)) for batch in some])
    future = np.concatenate([of_unit(batch.future).ravel() for batch in some])
    expected = np.linalg.lstsq(rows, future, rcond=None)[0]
    np.testing.assert_allclose(blur.weights.numpy(), expected, rtol=1e-4, atol=1e-6)
    now = torch.from_numpy(of_unit(some[0].images)).float()
    mixed = (terms(now.double().numpy()) @ expected).reshape(now.shape)
    np.testing.assert_allclose(blur(now).numpy(), mixed, atol=1e-5)


def test_gaussians_are_scipy_s_away_from_the_edges():
    picture = np.random.default_rng(0).random((1, 3, 64, 64)).astype(np.float32)
    for place, sigma in ((1, 1), (2, 2), (3, 4)):
        weights = torch.zeros(7, dtype=torch.float64)
        weights[place] = 1
        ours = BestBlur(weights)(torch.from_numpy(picture)).numpy()
        theirs = gaussian_filter(picture, (0, 0, sigma, sigma), truncate=8)
        inside = slice(24, 40)
        np.testing.assert_allclose(
            ours[..., inside, inside], theirs[..., inside, inside], atol=1e-4
        )


def test_the_fit_does_not_depend_on_how_windows_are_cut_into_batches(monkeypatch):
    whole = fit_best_blurs(random_batches(), {"rgb_static": 24})["rgb_static"]
    monkeypatch.setattr("firsthand.training.measures.best_blur._AT_ONCE", 1)  # a picture at a time
    singly = fit_best_blurs(random_batches(), {"rgb_static": 24})["rgb_static"]
    torch.testing.assert_close(whole.weights, singly.weights, rtol=1e-6, atol=1e-8)


def test_each_camera_has_a_blur_of_its_own_at_its_own_size():
    still = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    seen, new = torch.rand(2, 4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    blurs = fit_best_blurs(
        [a_batch(still, still), a_batch(seen, new, "rgb_gripper")],
        {"rgb_static": 16, "rgb_gripper": 16},
    )
    torch.testing.assert_close(blurs["rgb_static"](still), still, atol=3e-3, rtol=0)
    grey = blurs["rgb_gripper"](torch.rand(4, 3, 16, 16))
    assert grey.std() < 0.05  # noise tells nothing but its mean


@pytest.mark.parametrize("valid", ["valid", "future_valid"])
def test_frames_that_are_not_there_do_not_count(valid):
    (batch,) = random_batches(1)
    some = torch.tensor([[True]] * 3 + [[False]] * 2)
    spoilt = {"rgb_static": batch.future["rgb_static"].clone()}
    spoilt["rgb_static"][3:] = 255
    sizes = {"rgb_static": 24}
    plain, other = (
        fit_best_blurs([dataclasses.replace(batch, future=future, **{valid: some})], sizes)
        for future in (batch.future, spoilt)
    )
    assert torch.equal(plain["rgb_static"].weights, other["rgb_static"].weights)


def test_pictures_of_one_colour_leave_the_future_s_mean():
    flat = torch.full((4, 3, 16, 16), 0.4)
    (blur,) = fit_best_blurs([a_batch(flat, flat + 0.2)], {"rgb_static": 16}).values()
    torch.testing.assert_close(blur(flat), flat + 0.2, atol=3e-3, rtol=0)


def test_a_few_windows_that_are_learned_from_are_read_once_and_always_the_same():
    class Counted(TinyWindows):
        read = 0

        def __getitem__(self, index):
            Counted.read += 1
            return super().__getitem__(index)

    windows = Counted(1000)
    first = best_blurs(windows, windows.order(0), {"rgb_static": SIZE})
    assert Counted.read == 256
    again = best_blurs(windows, windows.order(0), {"rgb_static": SIZE})
    assert torch.equal(first["rgb_static"].weights, again["rgb_static"].weights)
