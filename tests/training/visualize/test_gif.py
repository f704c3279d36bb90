"""Films in event files: the colours that tasks are about, and the speed at which they happened."""

import io

import numpy as np
import pytest
from PIL import Image

from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.playtable.layouts import SWITCH_TRAVEL
from firsthand.envs.tasks.tasks import BULB, LED, SWITCH
from firsthand.training.visualize.gif import FRAMES, Film, gif_summary


def decoded(film):
    """Frames, and for how many seconds each is shown."""
    gif = Image.open(io.BytesIO(gif_summary(film).encoded_image_string))
    frames, seconds = [], []
    for number in range(gif.n_frames):
        gif.seek(number)
        frames.append(np.asarray(gif.convert("RGB")))
        seconds.append(gif.info["duration"] / 1000)
    return np.stack(frames), seconds


def lab(pictures):
    """CIE L*a*b* of sRGB: in it, 2.3 is a difference that can just be seen."""
    level = pictures / 255.0
    level = np.where(level > 0.04045, ((level + 0.055) / 1.055) ** 2.4, level / 12.92)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = level @ to_xyz.T / [0.9505, 1.0, 1.089]
    root = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def textured(count, height=110, width=130):
    """Wood, grey and shadow everywhere, as on the table: many colours, all of them dull."""
    random = np.random.default_rng(0)
    ramp = np.linspace(0.3, 1.0, width)[None, None, :, None]
    wood = ramp * np.array([200, 160, 120])
    grey = np.linspace(0.2, 1.0, height)[None, :, None, None] * np.array([180, 180, 185])
    noise = random.normal(0, 6, (count, height, width, 3))
    return ((wood + grey) / 2 + noise).clip(0, 255).astype(np.uint8)


COLOURS = {
    "lamp": (250, 230, 60), "led": (60, 220, 60), "led off": (20, 60, 20), "red": (210, 20, 20),
    "blue": (20, 30, 210), "pink": (230, 60, 210), "white": (255, 255, 255),
}  # fmt: skip


@pytest.mark.parametrize("side", [2, 5])
@pytest.mark.parametrize("count", [1, 9, 70])
def test_small_things_keep_their_colours(side, count):
    frames = textured(count)
    places = {name: (15 * n + 5, 20 * n + 7) for n, name in enumerate(COLOURS)}
    for name, (row, column) in places.items():
        late = slice(count // 2, None) if name == "led" else slice(None)  # shown by few frames
        frames[late, row : row + side, column : column + side] = COLOURS[name]
    film, _ = decoded(Film(frames, 10.0))
    for name, (row, column) in places.items():
        shown = film[-1, row : row + side, column : column + side]
        assert np.linalg.norm(lab(shown) - lab(np.array(COLOURS[name])), axis=-1).max() < 12, name
    away = np.linalg.norm(lab(film[-1]) - lab(frames[-1]), axis=-1)
    assert away.mean() < 4


def test_lamp_and_led_are_seen_to_light_up_on_the_table():
    world = PlayTable(cameras={"rgb_static": 96, "rgb_gripper": 64})
    state, _ = world.reset(seed=0)
    frames = []
    for lit in (0.0, 1.0):
        scene = state["scene_obs"].copy()
        scene[[SWITCH, BULB, LED]] = SWITCH_TRAVEL * lit, lit, lit
        layout = {"robot_obs": state["robot_obs"], "scene_obs": scene}
        frames.append(world.reset(options=layout)[0]["rgb_obs"]["rgb_static"])
    world.close()
    frames = np.stack(frames)
    changed = np.abs(frames[0].astype(int) - frames[1]).max(-1) > 60
    assert 3 < changed.sum() < 400  # the lights alone
    film, _ = decoded(Film(frames, 10.0))
    assert np.linalg.norm(lab(film) - lab(frames), axis=-1)[:, changed].mean() < 4


@pytest.mark.parametrize(("count", "fps"), [(121, 10.0), (361, 30.0), (1804, 30.0), (7, 29.97)])
def test_a_film_lasts_as_long_as_what_it_shows(count, fps):
    frames = np.zeros((count, 4, 6, 3), np.uint8)
    number = np.arange(count)
    frames[number, number % 4, number % 6] = 255  # no two that follow each other are equal
    film, seconds = decoded(Film(frames, fps))
    assert len(film) == min(count, FRAMES)
    assert sum(seconds) == pytest.approx(count / fps, abs=0.02)
    assert max(seconds) - min(seconds) < 0.011


def test_no_frame_is_too_brief_for_a_browser():
    frames = np.zeros((30, 4, 6, 3), np.uint8)
    frames[np.arange(30), np.arange(30) % 4] = 255
    _, seconds = decoded(Film(frames, 240.0))
    assert min(seconds) >= 0.02
    assert sum(seconds) == pytest.approx(30 / 240, abs=0.011)


def test_wide_films_become_as_wide_as_a_card():
    film, _ = decoded(Film(np.zeros((2, 200, 800, 3), np.uint8), 10.0))
    assert film.shape[1:] == (100, 400, 3)
