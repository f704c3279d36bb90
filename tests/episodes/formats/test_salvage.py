"""What is left of damaged episodes."""

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Narration
from firsthand.episodes.formats.salvage import salvage
from firsthand.episodes.jpeg import EncodedEpisode
from firsthand.episodes.tally import Tally

CAMERAS = {"rgb_static": (4, 4), "hand": (4, 4)}


@pytest.fixture
def episode(make_episode):
    signals = {"reward": np.arange(8.0), "depth": np.ones((8, 2, 2))}
    said = (Narration(0.0, 0.5, "open"), Narration(0.5, 0.8, "close"))
    return make_episode(0, 8, 10.0, CAMERAS, signals=signals, narrations=said)


def counts(tally):
    """Used and lost by unit, and where the losses are."""
    parts = {part.unit: (part.used, part.lost_count) for part in tally.parts}
    return parts, [where for _, where, *_ in tally.lost]


def test_a_sound_episode_stays_itself(episode):
    tally = Tally()
    (left,) = salvage(episode, "demo", tally)
    assert left.narrations == episode.narrations
    assert dict(left.source) == dict(episode.source)
    assert set(left.signals) == {"reward", "depth"}
    assert counts(tally) == ({"frame": (8, 0), "signal": (4, 0)}, [])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_signal_that_is_damaged_is_left_out_alone(episode, value):
    episode.signals["reward"][3] = value
    tally = Tally()
    (left,) = salvage(episode, "demo", tally)
    assert set(left.signals) == {"depth"}
    assert len(left) == 8
    assert counts(tally) == ({"frame": (8, 0), "signal": (3, 1)}, ["demo: reward"])


@pytest.mark.parametrize("name", ["state", "hand", "a/b", "..", ""])
def test_a_signal_without_a_possible_name_is_left_out_alone(episode, name):
    episode.signals[name] = np.zeros(8)
    tally = Tally()
    (left,) = salvage(episode, "demo", tally)
    assert set(left.signals) == {"reward", "depth"}
    assert counts(tally)[1] == [f"demo: {name}"]


def test_frames_are_lost_alone_and_no_recording_spans_them(episode):
    episode.actions[2, 1] = np.nan
    tally = Tally()
    left = list(salvage(episode, "demo", tally, {5: "has no picture", 6: "has no picture"}))
    assert [(int(e.signals["reward"][0]), len(e)) for e in left] == [(0, 2), (3, 2), (7, 1)]
    for recording in left:
        first = int(recording.signals["reward"][0])
        for camera in CAMERAS:
            expected = episode.frames[camera][first : first + len(recording)]
            np.testing.assert_array_equal(recording.frames[camera], expected)
        assert recording.source["frames"] == [first, first + len(recording) - 1]
    assert [[n.text for n in e.narrations] for e in left] == [["open"], ["open"], ["close"]]
    assert counts(tally) == (
        {"frame": (5, 3), "signal": (4, 0)},
        ["demo: frame 2", "demo: frames 5 to 6"],
    )


def test_encoded_pictures_are_cut_likewise(episode):
    encoded = EncodedEpisode.encode(episode)
    first, second = salvage(encoded, "demo", Tally(), {4: "is no JPEG"})
    assert list(first.frames["hand"].data) == list(encoded.frames["hand"].data[:4])
    assert list(second.frames["hand"].data) == list(encoded.frames["hand"].data[5:])


def test_an_episode_without_a_sound_frame_is_lost(episode):
    episode.state[:] = np.nan
    with pytest.raises(UserError, match="none of its 8 frames can be used: state holds values"):
        list(salvage(episode, "demo", Tally()))
