import dataclasses
import math

import numpy as np
import pytest
import torch

from firsthand.policy.batch import Batch
from firsthand.policy.config import CameraConfig, PolicyConfig, TrunkConfig, VideoConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from firsthand.training.measures.best_blur import BestBlur, fit_best_blurs
from firsthand.training.measures.future_prediction import (
    CHANGED,
    FuturePredictor,
    derangement,
    evaluate_video,
)
from tests.helpers.tiny_policy import TinyWindows, held_out, make_policy

EVENLY = BestBlur(torch.tensor([0, 0, 0, 0, 0, 1, 0], dtype=torch.float64))  # the mean colour


class Oracle:
    """Predicts what it is told from the batch: all of it `said` by the transformer, or `shown` to
    the decoder."""

    def __init__(self, said=None, shown=None):
        self.said, self.shown = said, shown

    def future_outputs(self, batch):
        def pictures(read):
            return {c: read(batch, c).float() / 255 if read else x * 0.0
                    for c, x in batch.images.items()}  # fmt: skip

        return pictures(self.said), pictures(self.shown)

    def future_images(self, outputs, view):
        return outputs + view


def future(batch, camera):
    return batch.future[camera]


def now(batch, camera):
    return batch.images[camera]


def a_batch(**pairs):
    """Of (seen, future) pictures in 0..1, by camera."""
    size = len(next(iter(pairs.values()))[0])
    images, futures = (
        {c: (255 * pair[i]).round().to(torch.uint8)[:, None] for c, pair in pairs.items()}
        for i in (0, 1)
    )
    valid = torch.ones(size, 1, dtype=torch.bool)
    return Batch(images, valid, torch.zeros(size, 0), future=futures)


def noise(count=4, size=16, seed=0, number=2):
    return torch.rand(number, count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def evaluated(oracle, *some, blurs=None):
    sizes = {camera: some[0].images[camera].shape[-1] for camera in some[0].images}
    return evaluate_video(oracle, some, fit_best_blurs(some, sizes) if blurs is None else blurs)


def test_policies_are_predictors():
    assert isinstance(make_policy(), FuturePredictor)
    assert issubclass(Policy, FuturePredictor)


def test_skill_is_one_for_the_truth_and_zero_for_a_copy():
    batch = a_batch(rgb_static=noise())
    perfect = evaluated(Oracle(future), batch)
    copied = evaluated(Oracle(shown=now), batch)
    for name in ("skill", "skill_blur", "skill_changed", "skill_blur_changed"):
        assert perfect[name] == 1
    assert perfect["psnr"] == math.inf
    assert perfect["ssim/rgb_static"] == pytest.approx(1)
    assert copied["skill"] == copied["skill_changed"] == 0
    assert copied["psnr"] == copied["psnr_copy"] == perfect["psnr_copy"]


def test_the_blur_itself_has_no_skill_against_it_and_a_copy_the_known_negative_one():
    seen, true = noise()
    batch = a_batch(rgb_static=(seen, 0.5 * seen + 0.5 * true))
    blurs = fit_best_blurs([batch], {"rgb_static": 16})

    class Blurs(Oracle):
        def future_outputs(self, batch):
            nothing, shown = super().future_outputs(batch)
            return nothing, {c: blurs[c](x[:, 0])[:, None] for c, x in shown.items()}

    blurred = evaluated(Blurs(shown=now), batch, blurs=blurs)
    for name in ("skill_blur", "skill_blur_changed", "skill_blur/rgb_static"):
        assert blurred[name] == pytest.approx(0, abs=1e-6)
    assert blurred["skill"] > 0.2
    assert blurred["psnr"] == pytest.approx(blurred["psnr_blur"])
    copied = evaluated(Oracle(shown=now), batch, blurs=blurs)
    a, b = (batch.images["rgb_static"][:, 0] / 255, batch.future["rgb_static"][:, 0] / 255)
    errors = [float((guess - b).square().mean()) for guess in (a, blurs["rgb_static"](a))]
    assert copied["skill_blur"] == pytest.approx(1 - errors[0] / errors[1], abs=1e-5)
    assert copied["skill_blur"] < -0.2


def test_a_blur_fitted_on_other_pictures_may_be_worse_than_a_copy():
    still = noise(number=1)[0]
    figures = evaluated(Oracle(shown=now), a_batch(rgb_static=(still, 0.9 * still)),
                        blurs={"rgb_static": EVENLY})  # fmt: skip
    assert figures["skill_blur"] > 0.5


def test_changed_pixels_are_those_of_which_a_colour_changed():
    seen = torch.full((2, 3, 16, 16), 0.5)
    true = seen.clone()
    true[:, 0, :4] += CHANGED + 0.02  # a quarter of the pixels, in red alone
    true[:, :, 8:] += CHANGED - 0.02
    half = seen.clone()
    half[:, :, 8:] = true[:, :, 8:]  # right where little changed, a copy where much did
    batch = a_batch(rgb_static=(seen, true))
    guessed = (255 * half).round()[:, None]
    figures = evaluated(Oracle(lambda b, c: guessed), batch, blurs={"rgb_static": EVENLY})
    assert figures["changed"] == 0.25
    assert figures["skill_changed"] == pytest.approx(0, abs=1e-5)
    assert figures["skill"] > 0.5


def test_cameras_count_alike_and_apart():
    still, (seen, new) = noise(number=1, seed=1)[0], noise(size=32)
    both = a_batch(rgb_static=(still, 0.8 * still), rgb_gripper=(seen, new))
    figures = evaluated(Oracle(shown=now), both)
    assert figures["psnr_blur/rgb_static"] > 40  # a darker copy
    assert figures["skill_blur/rgb_gripper"] == pytest.approx(
        -1, abs=0.1
    )  # the mean has half of it
    errors = [10 ** (-figures[f"psnr_copy/{c}"] / 10) for c in both.images]
    assert figures["psnr_copy"] == pytest.approx(-10 * math.log10(np.mean(errors)), abs=1e-4)


def test_what_the_transformer_says_alone_is_lost_with_its_place():
    figures = evaluated(Oracle(future), a_batch(rgb_static=noise(count=32)))
    assert figures["trunk_role"] == pytest.approx(
        1, abs=0.05
    )  # another window is as good as a copy
    assert figures["skill_permuted/rgb_static"] == pytest.approx(0, abs=0.05)
    assert figures["trunk_role_blur"] > 1.5  # and much worse than a blur


def test_a_decoder_that_reads_the_picture_alone_owes_nothing_to_the_transformer():
    figures = evaluated(Oracle(shown=future), a_batch(rgb_static=noise()))
    assert figures["trunk_role"] == figures["trunk_role_blur"] == 0
    assert figures["skill_permuted"] == figures["skill"] == 1


def test_where_there_is_no_skill_the_transformer_has_no_share_of_it():
    figures = evaluated(Oracle(shown=now), a_batch(rgb_static=noise()))
    assert "trunk_role" not in figures
    assert "skill_permuted" in figures


@pytest.mark.parametrize("start", ["blurs", "features", "mask"])
def test_a_policy_s_role_is_measured_on_its_own_decoder(start):
    """From mask tokens an untrained decoder depends on the queries alone, from the picture on
    nothing but that: its last layer is zero."""
    torch.manual_seed(0)
    config = PolicyConfig(
        cameras=(CameraConfig("rgb_static", 32),),
        trunk=TrunkConfig(width=24, depth=1, heads=2),
        video=VideoConfig(width=16, heads=2, start=start),
    )
    policy = Policy(config, Statistics()).eval()
    batch = dataclasses.replace(
        a_batch(rgb_static=noise(size=32)), instruction=torch.randn(4, config.language.width)
    )
    outputs, views = policy.future_outputs(batch)
    images = policy.future_images(outputs["rgb_static"], views["rgb_static"])
    torch.testing.assert_close(images, policy.predict(batch).frames["rgb_static"])
    figures = evaluated(policy, batch, blurs={"rgb_static": EVENLY})
    if start != "mask":
        assert figures["skill_permuted"] == figures["skill"] == pytest.approx(0, abs=1e-6)
    else:
        assert figures["skill_permuted"] != figures["skill"]


def test_nothing_stays_in_its_place_unless_it_is_alone():
    valid = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 1, 0]]).bool()
    expected = [[1, 2, 0], [2, 1, 1], [0, 3, 2], [3, 0, 3]]
    assert derangement(valid).tolist() == expected


def test_a_window_without_another_does_not_count_for_the_transformer_s_role():
    some, alone = a_batch(rgb_static=noise()), a_batch(rgb_static=noise(count=1, seed=5))
    blurs = {"rgb_static": EVENLY}
    role = evaluated(Oracle(future), some, alone, blurs=blurs)["trunk_role"]
    assert role == evaluated(Oracle(future), some, blurs=blurs)["trunk_role"]


def test_frames_without_a_future_do_not_count():
    def spoilt(batch, value):
        known = torch.tensor([[True, False]]).expand_as(batch.valid)
        images = {"rgb_static": batch.images["rgb_static"].clone()}
        images["rgb_static"][:, 1] = value
        return dataclasses.replace(batch, images=images, future_valid=known)

    some = list(held_out(TinyWindows(10)).batches(4, 3))
    black, white = ([spoilt(batch, value) for batch in some] for value in (0, 255))
    oracle = Oracle(lambda b, c: b.future[c] // 2)
    assert evaluated(oracle, *black) == evaluated(oracle, *white)


def test_without_futures_there_is_nothing_to_report():
    some = held_out(TinyWindows(10)).batches(4, 3)
    silent = [dataclasses.replace(b, future=None, future_valid=None) for b in some]
    assert evaluated(make_policy(), *silent) == {}
