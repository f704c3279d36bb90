import dataclasses
import math

import pytest
import torch

from firsthand.policy.batch import Prediction
from firsthand.training.distributed import Distributed
from firsthand.training.metrics import Means, evaluate_video, psnr, squared_error, ssim
from tests.helpers.tiny_policy import TinyWindows, held_out, make_policy


def batches(**options):
    return list(held_out(TinyWindows(10, **options)).batches(4, 3))


@pytest.mark.parametrize("noise", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("size", [11, 24, 37])
def test_ssim_and_psnr_against_torchmetrics(noise, size):
    generator = torch.Generator().manual_seed(size)
    a = torch.rand(3, 3, size, size + 2, generator=generator)
    b = (a + noise * torch.randn(a.shape, generator=generator)).clamp(0, 1)
    from torchmetrics.functional.image import (  # after `policy`, which mends torchvision
        peak_signal_noise_ratio,
        structural_similarity_index_measure,
    )

    theirs = structural_similarity_index_measure(a, b, data_range=1.0, reduction="none")
    torch.testing.assert_close(ssim(a, b), theirs, rtol=1e-4, atol=1e-5)
    ratio = peak_signal_noise_ratio(a, b, data_range=1.0).item()
    assert psnr(squared_error(a, b).mean().item()) == pytest.approx(ratio, rel=1e-5)
    torch.testing.assert_close(ssim(a, a), torch.ones(3))


class Oracle:
    """Predicts what it is told from the batch."""

    def __init__(self, frames):
        self._frames = frames

    def predict(self, batch):
        return Prediction(None, {"rgb_static": self._frames(batch).float() / 255}, {})


def test_skill_is_one_for_the_truth_and_zero_for_a_copy():
    perfect = evaluate_video(Oracle(lambda b: b.future["rgb_static"]), batches())
    copied = evaluate_video(Oracle(lambda b: b.images["rgb_static"]), batches())
    assert perfect["skill"] == 1
    assert perfect["psnr"] == math.inf
    assert perfect["ssim/rgb_static"] == pytest.approx(1)
    assert copied["skill"] == 0
    assert copied["psnr"] == copied["psnr_copy"] == perfect["psnr_copy"]


def blurred(pictures, sigma):
    from torchvision.transforms.functional import gaussian_blur

    side = pictures.shape[-1]
    size = side - 1 + side % 2  # the widest there is with a middle
    return gaussian_blur(pictures, [size, size], [sigma, sigma])


def a_batch(seen, truth):
    batch = batches()[0]
    pictures = [(255 * x).round().to(torch.uint8)[:, None].expand(-1, 2, -1, -1, -1) for x in
                (seen, truth)]  # fmt: skip
    return dataclasses.replace(
        batch, images={"rgb_static": pictures[0]}, future={"rgb_static": pictures[1]}
    )


@pytest.mark.parametrize("sigma", [1, 2, 4])
def test_a_blur_of_what_is_seen_has_no_skill_against_the_best_blur(sigma):
    generator = torch.Generator().manual_seed(sigma)
    seen = torch.rand(4, 3, 64, 64, generator=generator)
    truth = blurred(seen, float(sigma))
    batch = a_batch(seen, truth)
    figures = evaluate_video(Oracle(lambda b: b.future["rgb_static"]), [batch])
    assert figures["psnr_blur"] > 30  # but for the edges, where our blur reflects nothing
    copied = evaluate_video(Oracle(lambda b: b.images["rgb_static"]), [batch])
    assert copied["skill"] == 0
    assert copied["skill_blur"] < -10


def test_where_nothing_moves_the_copy_is_the_best_blur():
    seen = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    batch = a_batch(seen, (seen + 0.02).clamp(0, 1))
    figures = evaluate_video(Oracle(lambda b: b.future["rgb_static"] // 2), [batch])
    assert figures["skill_blur"] == figures["skill"]
    assert figures["psnr_blur"] == figures["psnr_copy"]


def test_where_all_is_new_the_mean_colour_beats_the_copy():
    generator = torch.Generator().manual_seed(0)
    seen, truth = torch.rand(2, 4, 3, 16, 16, generator=generator)
    batch = a_batch(seen, truth)
    mean = batch.images["rgb_static"].float().mean((-2, -1), keepdim=True).expand(4, 2, 3, 16, 16)
    figures = evaluate_video(Oracle(lambda b: mean), [batch])
    assert figures["skill"] > 0.4
    assert figures["skill_blur"] == pytest.approx(0, abs=1e-5)


def test_the_best_blur_is_chosen_for_each_camera_and_over_all_batches():
    generator = torch.Generator().manual_seed(0)
    still = torch.rand(4, 3, 16, 16, generator=generator)
    moving, other = torch.rand(2, 4, 3, 16, 16, generator=generator)
    a, b = a_batch(still, still), a_batch(moving, other)
    both = dataclasses.replace(
        a,
        images=a.images | {"rgb_gripper": b.images["rgb_static"]},
        future=a.future | {"rgb_gripper": b.future["rgb_static"]},
    )

    class Both:
        def predict(self, batch):
            return Prediction(None, {c: p.float() / 255 for c, p in batch.images.items()}, {})

    apart = evaluate_video(Both(), [both])
    assert apart["psnr_blur/rgb_static"] == math.inf
    assert apart["psnr_blur/rgb_gripper"] > apart["psnr_copy/rgb_gripper"]
    mixed = evaluate_video(Both(), [a, b])
    assert apart["psnr_blur"] > mixed["psnr_blur"]  # one blur has to serve both batches


def test_frames_without_a_future_do_not_count():
    def spoil(batch):
        known = torch.tensor([[True, False]]).expand_as(batch.valid)
        images = {"rgb_static": batch.images["rgb_static"].clone()}
        images["rgb_static"][:, 1] = 0
        return dataclasses.replace(batch, images=images, future_valid=known)

    oracle = Oracle(lambda b: b.future["rgb_static"] // 2)
    plain = [
        dataclasses.replace(b, future_valid=torch.tensor([[True, False]]).expand_as(b.valid))
        for b in batches()
    ]
    spoilt = [spoil(batch) for batch in batches()]
    assert evaluate_video(oracle, plain) == evaluate_video(oracle, spoilt)


def test_without_futures_there_is_nothing_to_report():
    silent = [dataclasses.replace(b, future=None, future_valid=None) for b in batches()]
    assert evaluate_video(make_policy(), silent) == {}


def test_means_over_different_counts():
    means = Means()
    for value in (1.0, 2.0, 6.0):
        means.add({"a": torch.tensor(value)})
    means.add({"b": torch.tensor(5.0)})
    assert means.read(Distributed()) == {"a": 3.0, "b": 5.0}
    assert means.read(Distributed()) == {}


def test_what_is_not_finite_does_not_count():
    means = Means()
    for value in (1.0, math.nan, 2.0, math.inf):
        means.add({"a": torch.tensor(value), "b": torch.tensor(math.nan)})
    read = means.read(Distributed())
    assert read["a"] == 1.5
    assert math.isnan(read["b"])
