from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.episodes.video.decode import OpenVideo
from firsthand.episodes.video.frames import upright
from firsthand.episodes.video.seek import frames_at
from tests.helpers.films import cut_film, write_film

REAL = Path(__file__).parents[4] / "shared" / "data" / "real_videos"
LATE = [5000 + 33 * index for index in range(240)]
VARIABLE = np.cumsum(np.random.default_rng(0).integers(5, 200, 240)).tolist()
OPEN = "open-gop=1:bframes=3:scenecut=0"
FILMS = {
    "gop250.mp4": {"frames": 600, "g": "250", "sc_threshold": "0"},
    "open.mp4": {"frames": 240, "g": "40", "x264-params": OPEN},
    "refreshed.mp4": {"frames": 240, "g": "60", "x264-params": "intra-refresh=1"},
    "hevc.mp4": {"frames": 160, "codec": "libx265", "x265-params": "log-level=none:keyint=40"},
    "av1.mp4": {"frames": 120, "codec": "libsvtav1", "g": "30", "preset": "12"},
    "vp9.webm": {"frames": 90, "codec": "libvpx-vp9", "g": "30", "deadline": "realtime"},
    "variable.mkv": {"frames": 240, "times": VARIABLE, "g": "50"},
    "late.mkv": {"frames": 240, "times": LATE, "g": "60"},
    "late.mp4": {"frames": 240, "times": LATE, "g": "60"},
    "no_index.mkv": {"frames": 240, "g": "60", "muxer": {"live": "1"}},
    "pieces.mp4": {"frames": 240, "g": "60", "muxer": {"movflags": "frag_keyframe+empty_moov"}},
    "turned.mp4": {"frames": 240, "g": "60", "rotation": 90},
    "old.avi": {"frames": 240, "codec": "mpeg4", "bf": "2"},
}


def decoded(path):
    """Every frame as decoding from the start gives it: start, end, pixels."""
    with OpenVideo(path) as video:
        return [(s.start, s.end, pixels(s.frame)) for s in video.frames()]


def pixels(frame):
    return upright(frame.to_ndarray(format="rgb24"), frame)[0]


def assert_seeking_changes_nothing(path, every, times):
    with OpenVideo(path) as video:
        shown = [(s.start, pixels(s.frame)) for s in frames_at(video, times)]
    assert len(shown) == len(times)
    for time, (start, picture) in zip(times, shown, strict=True):
        nearest = min(range(len(every)), key=lambda k: (abs(every[k][0] - time), k))
        assert start == every[nearest][0]
        np.testing.assert_array_equal(picture, every[nearest][2])


def some_times(every, rng):
    """Sorted times, some of them just at a frame or halfway between two."""
    starts = [start for start, _, _ in every]
    end = every[-1][1]
    anywhere = [Fraction(float(rng.uniform(0, end))) for _ in range(int(rng.integers(1, 6)))]
    index = int(rng.integers(len(starts) - 1))
    halfway = (starts[index] + starts[index + 1]) / 2
    return sorted([*anywhere, starts[index], *([halfway] if rng.random() < 0.5 else [])])


@pytest.fixture(scope="module", params=FILMS)
def film(request, tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("films") / request.param, **FILMS[request.param])


def test_seeking_gives_what_decoding_from_the_start_gives(film):
    every = decoded(film)
    for seed in range(8):
        assert_seeking_changes_nothing(film, every, some_times(every, np.random.default_rng(seed)))


def test_pictures_that_are_refreshed_piece_by_piece(tmp_path):
    """Such a video can be entered in its middle, but shows remains of nothing for a while."""
    film = write_film(
        tmp_path / "a.mp4", 400, **{"g": "60", "x264-params": "intra-refresh=1", "bf": "0"}
    )
    every = decoded(film)
    for time in range(1, 26):
        assert_seeking_changes_nothing(film, every, [Fraction(time, 2)])


def test_frames_hidden_by_an_edit_list(tmp_path):
    film = write_film(tmp_path / "film.mp4", 300, g="250", sc_threshold="0")
    cut = cut_film(film, tmp_path / "cut.mp4", 3)
    whole, every = decoded(film), decoded(cut)
    assert len(every) == 210
    np.testing.assert_array_equal(every[0][2], whole[90][2])
    for seed in range(8):
        assert_seeking_changes_nothing(cut, every, some_times(every, np.random.default_rng(seed)))


@pytest.mark.skipif(not REAL.exists(), reason="the real recordings are not here")
@pytest.mark.parametrize("path", sorted(REAL.rglob("*.mp4")), ids=lambda path: path.name)
def test_seeking_in_real_recordings(path):
    every = decoded(path)
    for seed in range(2):
        assert_seeking_changes_nothing(path, every, some_times(every, np.random.default_rng(seed)))


def count_decoded(monkeypatch):
    """Frames that are really decoded, in a list that grows."""
    counted = []
    original = OpenVideo._decode

    def decode(self, from_start):
        for shown in original(self, from_start):
            counted.append(shown.start)
            yield shown

    monkeypatch.setattr(OpenVideo, "_decode", decode)
    return counted


def test_only_what_is_needed_is_decoded(tmp_path, monkeypatch):
    film = write_film(tmp_path / "a.mp4", 900, g="30", sc_threshold="0")
    counted = count_decoded(monkeypatch)
    with OpenVideo(film) as video:
        list(frames_at(video, [Fraction(29), Fraction(29) + Fraction(1, 3)]))
    assert len(counted) < 60
    counted.clear()
    with OpenVideo(film) as video:  # windows further apart than keyframes are
        list(frames_at(video, [Fraction(s) for s in (1, 10, 20, 29)]))
    assert len(counted) < 160
    counted.clear()
    with OpenVideo(film) as video:  # and nearer
        list(frames_at(video, [Fraction(k, 3) for k in range(60)]))
    assert len(counted) < 640


def test_times_past_the_end_are_left_out(tmp_path):
    film = write_film(tmp_path / "a.mp4", 30)
    with OpenVideo(film) as video:
        shown = list(frames_at(video, [Fraction(0), Fraction(1), Fraction(11, 10), Fraction(9)]))
    assert [s.start for s in shown] == [0, Fraction(29, 30)]


@given(st.lists(st.floats(0, 8), min_size=1, max_size=5))
def test_any_times(tmp_path_factory, times):
    folder = tmp_path_factory.getbasetemp() / "any_times"
    folder.mkdir(exist_ok=True)
    film = folder / "a.mp4"
    if not film.exists():
        write_film(film, 240, g="25", bf="2")
    with OpenVideo(film) as video:
        shown = list(frames_at(video, [Fraction(time) for time in sorted(times)]))
    assert all(
        abs(s.start - Fraction(t)) <= Fraction(1, 60) or s.end == 8
        for s, t in zip(shown, sorted(times), strict=True)
    )


def test_announced_lengths(tmp_path):
    for name in ("gop250.mp4", "late.mkv", "variable.mkv"):
        film = write_film(tmp_path / name, **FILMS[name])
        end = decoded(film)[-1][1]
        with OpenVideo(film) as video:
            assert video.duration == pytest.approx(float(end), abs=0.01)


def test_a_file_that_ends_early_is_found_out_when_frames_are_wanted_there(tmp_path):
    film = write_film(tmp_path / "a.mkv", 300, g="30")
    content = film.read_bytes()
    film.write_bytes(content[: len(content) // 2])
    with OpenVideo(film) as video, pytest.raises(UserError, match=r"is cut short: \d"):
        list(frames_at(video, [Fraction(1), Fraction(9)]))


def test_a_playlist_is_no_video(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "a.mp4").write_text("#EXTM3U\n#EXTINF:1,\nsecret.txt\n#EXT-X-ENDLIST\n")
    with (
        pytest.raises(UserError, match="cannot be decoded at its start"),
        OpenVideo(tmp_path / "a.mp4"),
    ):
        pass


def test_sound_before_pictures_changes_no_time(tmp_path):
    """The first picture is at 0, whenever the file's clock shows it."""
    film = write_film(tmp_path / "late.mp4", 60, times=[2000 + 33 * k for k in range(60)])
    with av.open(str(film)) as container:
        assert container.streams.video[0].start_time
    assert decoded(film)[0][0] == 0
