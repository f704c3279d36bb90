import math

import pytest
import torch

from firsthand.training.distributed import Distributed
from firsthand.training.metrics import Means, psnr, squared_error, ssim


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
