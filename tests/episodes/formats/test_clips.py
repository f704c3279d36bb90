from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.episodes.formats.clips import Clip, ClipSettings, clip_around, cut_clips, read_clips
from firsthand.episodes.tally import Tally
from firsthand.episodes.video.decode import OpenVideo
from firsthand.episodes.video.frames import to_image
from tests.helpers.films import write_film

SETTINGS = ClipSettings(size=32, quality=100)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("films") / "film.mp4", 600, g="250", bf="2")


def test_a_clip_shows_ten_frames_a_third_of_a_second_apart(film):
    (episode,) = read_clips(film, [clip_around(10.0, 3.0, "stir", "n1")], SETTINGS, Tally())
    assert (episode.fps, episode.instruction) == (3.0, "stir")
    assert episode.source == {"start_seconds": 8.5, "clip": "n1"}
    frames = episode.decode().frames["rgb_static"]
    with OpenVideo(film) as video:
        every = [to_image(shown.frame, SETTINGS) for shown in video.frames()]
    expected = np.stack(every[255:346:10])  # at 30 frames a second
    assert frames.shape == expected.shape == (10, 32, 32, 3)
    assert np.abs(frames.astype(int) - expected).mean() < 1


def test_clips_that_overlap_equal_those_read_alone(film):
    rng = np.random.default_rng(0)
    clips = [clip_around(t, 3.0, f"at {t}") for t in rng.uniform(2, 18, 12).tolist()]
    clips.append(Clip(1.0, 15.0, "long"))
    together = {
        e.instruction: e.frames["rgb_static"].data
        for e in read_clips(film, clips, SETTINGS, Tally())
    }
    alone = {c.text: next(read_clips(film, [c], SETTINGS, Tally())) for c in clips}
    assert together == {text: e.frames["rgb_static"].data for text, e in alone.items()}
    assert len(together["long"]) == 43
    starts = [e.source["start_seconds"] for e in read_clips(film, clips, SETTINGS, Tally())]
    assert starts == sorted(starts)


def test_clips_at_the_ends_are_moved_into_the_video(film):
    clips = [clip_around(0.5, 3.0, "first"), clip_around(20.4, 3.0, "last")]
    first, last = read_clips(film, clips, SETTINGS, Tally())
    assert (len(first), len(last)) == (10, 10)
    assert first.source["start_seconds"] == 0
    assert last.source["start_seconds"] == pytest.approx(20 - 1 / 30 - 3)
    (whole,) = read_clips(film, [Clip(-5.0, 55.0, "all")], SETTINGS, Tally())
    assert len(whole) == 60


def test_clips_outside_the_video_are_lost_alone(film):
    clips = [clip_around(2.0, 3.0, "here"), clip_around(30.0, 3.0, "there", "n2")]
    clips.append(Clip(-4.0, -1.0, "x"))
    tally = Tally()
    (episode,) = read_clips(film, clips, SETTINGS, tally)
    assert episode.instruction == "here"
    (parts,) = tally.parts
    assert (parts.unit, parts.used, parts.lost_count) == ("clip", 1, 2)
    assert parts.lost[0][0] == "film: n2"
    assert parts.lost[0][1].startswith("ends at 19.97 seconds, before the clip 'there' from 28")
    assert parts.lost[1][1] == "the clip 'x' ends at -1.00 seconds, before the video begins"
    with pytest.raises(UserError, match=r"ends at 19\.97 seconds, before the clip 'there' from 28"):
        list(read_clips(film, clips[1:], SETTINGS, Tally()))


def test_a_video_that_says_nothing_of_its_length(tmp_path):
    film = write_film(tmp_path / "a.mkv", 90, g="30", muxer={"live": "1"})
    clips, tally = [clip_around(2.5, 3.0, "x"), clip_around(9.0, 3.0, "y")], Tally()
    (episode,) = read_clips(film, clips, SETTINGS, tally)
    assert len(episode) == 7  # it ends at 3 seconds
    assert [lost[0] for lost in tally.parts[0].lost] == ["a: y"]


def test_a_clip_in_a_gap_of_minutes_is_lost_alone(tmp_path):
    """A camera that was paused. Not even its neighbours' last and first pictures are held up."""
    moments = [*range(0, 4000, 100), *range(100_000, 104_000, 100)]
    film = write_film(tmp_path / "a.mkv", 80, g="10", times=moments)
    middles = {2.0: "before", 5.0: "into", 50.0: "in", 99.0: "out of", 102.0: "behind"}
    clips, tally = [clip_around(time, 3.0, text) for time, text in middles.items()], Tally()
    found = list(read_clips(film, clips, SETTINGS, tally))
    assert [(clip.instruction, len(clip)) for clip in found] == [("before", 10), ("behind", 10)]
    (parts,) = tally.parts
    assert [lost[0] for lost in parts.lost] == ["a: into", "a: in", "a: out of"]
    assert parts.lost[1][1] == "the video shows nothing from 48.50 to 51.50 seconds"


@pytest.mark.parametrize(("start", "end"), [(0.0, float("nan")), (1.0, 0.0), (0.0, 1e9)])
def test_impossible_clips(start, end):
    with pytest.raises(UserError, match="a clip lasts 0 to 3600 seconds"):
        Clip(start, end, "x")


TIMES = st.floats(-3, 40, allow_nan=False)


@given(st.lists(st.tuples(TIMES, st.floats(0, 6)), max_size=8), st.integers(10, 40))
def test_every_clip_comes_once_with_the_pictures_at_its_times(spans, end):
    """The picture at a time is that time, written down."""
    clips = [Clip(s, s + length, str(n)) for n, (s, length) in enumerate(spans)]
    clips = [clip for clip in clips if clip.start <= end and clip.end >= 0]

    def pictures(times):
        assert list(times) == sorted(set(times))
        for time in times:
            assert 0 <= time <= end + Fraction(1, 60)  # a last frame may come a little late
            yield str(time).encode()

    episodes = list(cut_clips(clips, SETTINGS, pictures, Fraction(end), Tally(), "v"))
    assert sorted(e.instruction for e in episodes) == sorted(clip.text for clip in clips)
    for episode in episodes:
        clip = next(clip for clip in clips if clip.text == episode.instruction)
        times = [Fraction(data.decode()) for data in episode.frames["rgb_static"].data]
        assert all(b - a == Fraction(1, 3) for a, b in zip(times, times[1:], strict=False))
        assert abs((len(times) - 1) / 3 - (clip.end - clip.start)) < 0.34
        if clip.start >= 0 and clip.end <= end:
            assert float(times[0]) == clip.start


def test_memory_does_not_grow_with_the_video(monkeypatch):
    """Only the pictures of unfinished clips are held."""
    import firsthand.episodes.formats.clips

    held = []
    original = firsthand.episodes.formats.clips._forget
    monkeypatch.setattr(
        firsthand.episodes.formats.clips,
        "_forget",
        lambda h, w: (original(h, w), held.append(len(h))),
    )
    clips = [clip_around(2.0 * n, 3.0, str(n)) for n in range(1, 500)]
    picture = b"x"
    list(
        cut_clips(
            clips, SETTINGS, lambda times: (picture for _ in times), Fraction(2000), Tally(), "v"
        )
    )
    assert max(held) <= 20


def test_pictures_are_jpeg_of_the_size(film):
    (episode,) = read_clips(
        film, [clip_around(3.0, 1.0, "x")], ClipSettings(size=48, fps=10.0), Tally()
    )
    assert len(episode) == 11
    assert episode.decode().frames["rgb_static"].shape == (11, 48, 48, 3)
