import dataclasses

import numpy as np
import pytest
import torch

from policy.batch import Prediction
from tests.training.tiny_policy import TinyWindows, held_out, make_policy
from training.films import Film
from training.pictures import (
    action_curves,
    attention_maps,
    last_known,
    show_predictions,
    show_rollout,
    strip,
)


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
    return held_out(TinyWindows(10)).shown()


def flat(batch, value):
    """A prediction of evenly grey pictures and no motion."""
    size, steps = batch.valid.shape
    frames = torch.full((size, steps, 3, 16, 16), value)
    maps = torch.full((size, steps, 2, 4, 4), 1 / 16)
    return Prediction(torch.zeros(size, steps, 3, 7), {"rgb_static": frames}, {"rgb_static": maps})


def test_a_policy_s_predictions_are_drawn_under_stable_tags(shown):
    album = Album()
    show_predictions(make_policy().eval(), *shown, album, 3)
    assert album.kept.keys() == {
        "pictures/strip/rgb_static",
        "pictures/actions",
        "pictures/attention/rgb_static",
    }


def test_video_alone_draws_no_actions():
    album = Album()
    show_predictions(make_policy(), *held_out(TinyWindows(10, act=False)).shown(), album, 3)
    assert "pictures/actions" not in album.kept


def test_the_strip_shows_past_future_and_prediction(shown):
    batch, captions = shown
    batch = dataclasses.replace(
        batch,
        images={"rgb_static": torch.full_like(batch.images["rgb_static"], 51)},
        future={"rgb_static": torch.full_like(batch.future["rgb_static"], 102)},
    )
    picture = strip(batch, flat(batch, 0.6), "rgb_static", last_known(batch), captions)
    cells = [picture[22 + 22 + 70, 4 + column * 148 + 72] for column in range(4)]
    assert [int(cell[0]) for cell in cells] == [51, 51, 102, 153]
    assert picture.shape == (22 + 4 * 166, 4 + 5 * 148, 3)


def test_the_last_frame_with_a_future_is_chosen(shown):
    batch, _ = shown
    known = torch.tensor([[1, 1], [1, 0], [0, 0], [0, 1]]).bool()
    valid = torch.tensor([[1, 1], [1, 1], [1, 0], [1, 1]]).bool()
    assert last_known(dataclasses.replace(batch, future_valid=known, valid=valid)) == [1, 0, 0, 1]


def test_attention_is_brightest_where_the_token_looked(shown):
    batch, captions = shown
    prediction = flat(batch, 0.5)
    maps = torch.zeros(4, 2, 2, 4, 4)
    maps[..., 0, 3] = 1
    prediction = dataclasses.replace(prediction, attention={"rgb_static": maps})
    picture = attention_maps(batch, prediction, "rgb_static", [1] * 4, captions)
    cell = picture[44 : 44 + 144, 4 + 148 : 4 + 148 + 144].astype(int).sum(-1)
    assert cell[:30, -30:].min() > cell[60:, :80].max()


def test_action_curves_leave_no_figure_open(shown):
    batch, captions = shown
    picture = action_curves(batch, flat(batch, 0.5), last_known(batch), captions)
    from matplotlib import pyplot

    assert not pyplot.get_fignums()
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10


def test_single_actions_are_drawn_along_the_window():
    batch, captions = held_out(TinyWindows(10, chunk=1)).shown()
    prediction = dataclasses.replace(flat(batch, 0.5), actions=torch.zeros(4, 2, 1, 7))
    assert action_curves(batch, prediction, last_known(batch), captions).ndim == 3


def test_a_rollout_becomes_scalars_and_films():
    album = Album()
    film = Film(np.zeros((20, 60, 90, 3), np.uint8), 10.0)
    show_rollout({"success": 0.5, "film/push": film}, album, 1)
    assert album.kept == {"rollout/success": 0.5, "rollout/film/push": film}
