import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.training.augment import UNCHANGED, Augment, ColorConfig, color_map, recolored

ALL = ColorConfig(0.4, 0.4, 0.4, 0.1)


def pictures(frames=3, height=7, width=5, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def by_hand(pixel, brightness, contrast, saturation, hue):
    """One pixel, step after step, in plain Python."""
    red, green, blue = (float(value) * brightness for value in pixel)
    red, green, blue = (127.5 + (v - 127.5) * contrast for v in (red, green, blue))
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    red, green, blue = (grey + (v - grey) * saturation for v in (red, green, blue))
    i = 0.596 * red - 0.274 * green - 0.322 * blue
    q = 0.211 * red - 0.523 * green + 0.312 * blue
    phase = complex(i, q) * np.exp(2j * np.pi * hue)
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    to_rgb = np.linalg.inv([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    return [min(255.0, max(0.0, v)) for v in to_rgb @ [y, phase.real, phase.imag]]


factors = st.floats(0, 2)


@given(factors, factors, factors, st.floats(-0.5, 0.5))
def test_colours_against_plain_arithmetic(brightness, contrast, saturation, hue):
    frames = pictures()
    changed = recolored(frames, color_map(brightness, contrast, saturation, hue))
    assert changed.shape == frames.shape
    for before, after in zip(frames.reshape(-1, 3), changed.reshape(-1, 3), strict=True):
        expected = by_hand(before, brightness, contrast, saturation, hue)
        assert np.abs(after - np.array(expected)).max() < 0.51


@given(factors, factors)
def test_brightness_and_saturation_are_torchvisions(brightness, saturation):
    import torch

    from firsthand.policy import _torchvision

    _torchvision.install()
    from torchvision.transforms.v2 import functional

    frames = pictures(1)
    expected = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    brighter = functional.adjust_brightness(expected, brightness)
    greyer = functional.adjust_saturation(expected, saturation)
    for theirs, change in ((brighter, (brightness, 1.0, 1.0)), (greyer, (1.0, 1.0, saturation))):
        ours = recolored(frames, color_map(*change, hue=0.0))
        assert np.abs(ours - 255 * theirs.permute(0, 2, 3, 1).numpy()).max() < 1


def test_no_change_changes_nothing_and_a_turn_keeps_lightness():
    frames = pictures()
    assert np.array_equal(recolored(frames, color_map(1.0, 1.0, 1.0, 0.0)), frames)
    muted = 80 + frames // 4
    turned = recolored(muted, color_map(1.0, 1.0, 1.0, 1 / 3))
    luma = np.array([0.299, 0.587, 0.114])
    assert np.abs(turned @ luma - muted @ luma).max() < 1
    red = np.full((1, 1, 1, 3), [160, 100, 100], np.uint8)
    hues = [
        colorsys.rgb_to_hsv(*(recolored(red, color_map(1.0, 1.0, 1.0, turn))[0, 0, 0] / 255))[0]
        for turn in (0.0, 1 / 3, 2 / 3)
    ]
    assert sorted(round(3 * hue) % 3 for hue in hues) == [0, 1, 2]


def test_a_change_is_one_for_all_frames_and_cameras_of_a_window():
    picture = pictures(1, 12, 12)
    still = np.repeat(picture, 4, axis=0)
    change = Augment(3, {"rgb_static": 3, "rgb_gripper": 3}, ALL)(2, 17)
    target = np.zeros_like(still)
    change.into(target, still, "rgb_static")
    assert (target == target[:1]).all()
    assert not np.array_equal(target, still)
    colours = Augment(3, {}, ALL)(2, 17)
    other = np.zeros_like(still)
    UNCHANGED.into(other, still, "rgb_static")
    assert np.array_equal(other, still)
    one, two = np.zeros_like(still), np.zeros_like(still)
    colours.into(one, still, "rgb_static")
    colours.into(two, still, "rgb_gripper")
    assert np.array_equal(one, two)


def test_changes_differ_between_windows_and_epochs_and_are_drawn_from_both():
    augment = Augment(0, {}, ALL)
    drawn = [augment(epoch, index).color for epoch in range(3) for index in range(9)]
    assert len({change.tobytes() for change in drawn}) == 27
    assert np.array_equal(augment(1, 4).color, Augment(0, {}, ALL)(1, 4).color)
    assert Augment(0, {})(1, 4).color is None


def test_impossible_ranges_are_refused():
    with pytest.raises(UserError, match=r"hue must be between 0 and 0\.5, not 0\.6"):
        ColorConfig(hue=0.6)
    with pytest.raises(UserError, match="contrast must be 0 or more, not -1"):
        ColorConfig(contrast=-1.0)
