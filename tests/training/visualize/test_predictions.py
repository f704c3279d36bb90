import dataclasses

import numpy as np
import pytest
import torch

from firsthand.episodes.episode import Course, WindowSpec
from firsthand.policy.batch import Prediction
from firsthand.training.measures.best_blur import BestBlur
from firsthand.training.visualize.action_curves import draw_curves, follow
from firsthand.training.visualize.gif import Film
from firsthand.training.visualize.image_grid import WIDTH, ColorBar, GridRow, heat, sheet
from firsthand.training.visualize.predictions import (
    attention_maps,
    last_known,
    log_predictions,
    log_rollout,
    strip,
)
from tests.helpers.tiny_policy import TinyWindows, held_out, make_policy


class Album:
    """A logger that keeps what it gets."""

    def __init__(self):
        self.kept = {}

    def scalars(self, values, step):
        self.kept |= values

    def image(self, tag, picture, step):
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
        self.kept[tag] = picture

    def film(self, tag, film, step):
        self.kept[tag] = film

    def text(self, tag, words, step):
        self.kept[tag] = words

    def flush(self):
        pass

    def close(self):
        pass


@pytest.fixture
def shown():
    watched = held_out(TinyWindows(10))
    return watched.batch(watched.examples())


def flat(batch, value):
    """A prediction of evenly grey pictures and no motion."""
    size, steps = batch.valid.shape
    frames = torch.full((size, steps, 3, 16, 16), value)
    maps = torch.full((size, steps, 2, 4, 4), 1 / 16)
    return Prediction(torch.zeros(size, steps, 3, 7), {"rgb_static": frames}, {"rgb_static": maps})


def test_a_policy_s_predictions_are_drawn_under_stable_tags():
    album = Album()
    log_predictions(make_policy().eval(), held_out(TinyWindows(10)), album, 3)
    assert album.kept.keys() == {
        "pictures/strip/rgb_static",
        "pictures/actions/1",
        "pictures/actions/2",
        "pictures/attention/rgb_static",
        "pictures/attention_each/rgb_static",
    }
    assert {picture.shape[1] for picture in album.kept.values()} == {WIDTH}


def test_video_alone_draws_no_actions():
    album = Album()
    log_predictions(make_policy(), held_out(TinyWindows(10, act=False)), album, 3)
    assert not [tag for tag in album.kept if "actions" in tag]


@pytest.mark.parametrize(("count", "recordings"), [(40, 4), (12, 3), (5, 1)])
def test_what_is_shown_is_of_different_recordings_as_far_as_there_are(count, recordings):
    watched = held_out(TinyWindows(count))
    chosen = watched.examples()
    assert len(set(chosen)) == len(chosen) == 4
    assert len({watched.windows.course(index) for index in chosen}) == recordings


def test_the_strip_shows_past_future_and_prediction(shown):
    batch, captions = shown
    batch = dataclasses.replace(
        batch,
        images={"rgb_static": torch.full_like(batch.images["rgb_static"], 51)},
        future={"rgb_static": torch.full_like(batch.future["rgb_static"], 102)},
    )
    blur = BestBlur(torch.tensor([0, 0, 0, 0, 0, 0, 0.7], dtype=torch.float64))
    picture = strip(batch, flat(batch, 0.6), "rgb_static", blur, last_known(batch), captions, 0.6)
    assert picture.shape[1] == WIDTH
    middle = [picture[:, 4 + 26 + column * 57, 0].tolist() for column in range(5)]
    for column, level in zip(middle, (51, 51, 178, 153, 102), strict=True):
        assert column.count(level) > 4 * 50  # four rows of pictures


def test_a_strip_says_what_a_prediction_is_worth(shown):
    batch, captions = shown
    written = []

    def told(title, names, rows, bar):
        written.append((title, names, [row.lines for row in rows]))
        return np.zeros((1, 1, 3), np.uint8)

    mean = BestBlur(torch.tensor([0, 0, 0, 0, 0, 1, 0], dtype=torch.float64))
    truth = batch.future["rgb_static"][:, -1:].expand(-1, 2, -1, -1, -1).float() / 255
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("firsthand.training.visualize.predictions.sheet", told)
        for frames in (truth, batch.images["rgb_static"].float() / 255):
            prediction = dataclasses.replace(flat(batch, 0.0), frames={"rgb_static": frames})
            strip(batch, prediction, "rgb_static", mean, [1] * 4, captions, 0.6)
    (title, names, right), (_, _, copied) = written
    assert title == "rgb_static: 0.6 s ahead"
    assert names == ["before", "now", "its blur", "predicted", "true", "difference"]
    assert right[0] == [captions[0], "skill 1.00 against copy, 1.00 against blur"]
    assert copied[0][1].startswith("skill 0.00 against copy, -")  # of noise the mean is better


@pytest.mark.parametrize(
    "caption",
    ["push it", "push it\nthere", "take hold of the block that is red " * 4, "H" * 99, "H" * 9**6],
    ids=["short", "two lines", "long", "one word", "very long"],
)
def test_words_stay_inside_and_legible(caption):
    cell = np.full((20, 20, 3), 200, np.uint8)
    bar = ColorBar(heat, "none", "all of it")
    picture = sheet("a camera: 0.6 s ahead", ["now", "then"], [GridRow([caption], [cell] * 2)], bar)
    assert picture.shape[1] == WIDTH
    assert (picture[:, -2:] == 255).all()  # nothing is cut off at the edge
    words = picture[2 * 19 : 3 * 19].min(axis=(1, 2)) < 128
    assert words.sum() >= 6  # letters of nine pixels and more


def test_the_last_frame_with_a_future_is_chosen(shown):
    batch, _ = shown
    known = torch.tensor([[1, 1], [1, 0], [0, 0], [0, 1]]).bool()
    valid = torch.tensor([[1, 1], [1, 1], [1, 0], [1, 1]]).bool()
    assert last_known(dataclasses.replace(batch, future_valid=known, valid=valid)) == [1, 0, 0, 1]


def overlay(batch, maps, **shape):
    """The second column of the first row of `attention`, and the first cell of `attention_each`."""
    grey = {"rgb_static": torch.full_like(batch.images["rgb_static"], 120)}
    batch = dataclasses.replace(batch, images=grey)
    prediction = dataclasses.replace(flat(batch, 0.5), attention={"rgb_static": maps})
    found = attention_maps(batch, prediction, "rgb_static", [1] * 4, ["push it"] * 4)
    side = (WIDTH - 4) // 2 - 4
    return found["attention"][57 : 57 + side, 8 + side : 8 + 2 * side].astype(int)


def test_attention_is_seen_where_the_policy_looked_and_nowhere_else(shown):
    maps = torch.zeros(4, 2, 2, 4, 4)
    maps[..., 0, 3] = 1
    cell = overlay(shown[0], maps)
    away = np.abs(cell - 120).max(-1)
    assert away[:20, -20:].min() > 60
    assert away[80:, :80].max() == 0


def test_flat_attention_leaves_the_picture_as_it_is(shown):
    assert (overlay(shown[0], torch.full((4, 2, 2, 4, 4), 1 / 16)) == 120).all()


def test_all_maps_have_one_scale(shown):
    maps = torch.full((4, 2, 2, 4, 4), 1 / 16)
    maps[1, :, :, 0, 3] = 1  # another window looks sharply
    maps[0, :, :, 0, 0] = 2 / 16
    faint = np.abs(overlay(shown[0], maps) - 120).max()
    maps[1] = 1 / 16
    assert 0 < faint < np.abs(overlay(shown[0], maps) - 120).max()


class Follower:
    """Does what was demonstrated, or opens the gripper with a certain probability."""

    def __init__(self, opening=None):
        self._opening = opening

    def predict(self, batch):
        opening = None if self._opening is None else torch.full(batch.actions.shape[:3], 0.25)
        return Prediction(batch.actions.clone(), {}, {}, opening)


class Ramp(TinyWindows):
    """Recordings of so many frames; the action of frame t is t / 100 in x, closing at half time."""

    length = 23

    def course(self, index):
        spec = WindowSpec(self.frames, 0.2, ("rgb_static",), chunk=self.chunk)
        first = index - index % self.length
        return Course(range(first, first + self.length), self.length, 10.0, spec)

    def __getitem__(self, index):
        window = super().__getitem__(index)
        start = index % self.length
        at = start + 2 * np.arange(self.frames)[:, None] + np.arange(self.chunk)
        actions = np.zeros((*at.shape, 7), np.float32)
        actions[..., 0] = at / 100
        actions[..., 6] = np.where(at < 12, 1, -1)
        return dataclasses.replace(window, actions=actions)


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("chunk", [1, 4, 10])
def test_chunks_are_stitched_over_the_whole_recording(frames, chunk):
    watched = held_out(Ramp(46, frames=frames, chunk=chunk))
    curves = follow(Follower(), watched, watched.windows.course(30))
    assert np.allclose(curves.demonstrated[:, 0], 60 * np.arange(23) / 100)  # cm/s
    assert np.array_equal(curves.demonstrated, curves.predicted)
    assert curves.demonstrated[:, 6].tolist() == [1.0] * 12 + [0.0] * 11
    assert curves.apart == chunk / 10
    assert draw_curves(curves).shape[1] == WIDTH


def test_the_gripper_is_a_probability():
    watched = held_out(Ramp(23))
    curves = follow(Follower(0.25), watched, watched.windows.course(0))
    assert set(curves.predicted[:, 6]) == {0.25}


@pytest.mark.parametrize("sentence", ["pay $\\up$ now", "push it\nthere"])
def test_a_sentence_over_curves_is_taken_as_it_is(sentence):
    watched = held_out(Ramp(23))
    curves = follow(Follower(), watched, watched.windows.course(0))
    plain, other = (draw_curves(dataclasses.replace(curves, sentence=s)) for s in ("", sentence))
    assert plain.shape == other.shape


def test_action_curves_leave_no_figure_open():
    watched = held_out(Ramp(23))
    draw_curves(follow(Follower(), watched, watched.windows.course(0)))
    from matplotlib import pyplot

    assert not pyplot.get_fignums()


def test_a_rollout_becomes_scalars_and_films():
    album = Album()
    film = Film(np.zeros((20, 60, 90, 3), np.uint8), 10.0)
    log_rollout({"success": 0.5, "film/push": film}, album, 1)
    assert album.kept == {"rollout/success": 0.5, "rollout/film/push": film}
