from pathlib import Path

import av
import numpy as np
import pytest

from firsthand.envs.evaluation.video import CAPTION_HEIGHT, VideoWriter, compose


def write_video(path, pictures, fps):
    """Write a whole video."""
    with VideoWriter(path, fps) as writer:
        for picture in pictures:
            writer.add(picture)
        writer.keep(path)
    return path


def frames(n, height=51, width=64):
    ramp = np.linspace(0, 255, width, dtype=np.uint8)[None, :, None]
    return [np.broadcast_to(ramp // (i + 1), (height, width, 3)).copy() for i in range(n)]


def test_video_plays_back_what_was_written(tmp_path):
    path = write_video(tmp_path / "new" / "clip.mp4", frames(7), fps=10.0)
    with av.open(str(path)) as mp4:
        stream = mp4.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == 10
        pictures = [frame.to_ndarray(format="rgb24") for frame in mp4.decode(stream)]
    assert len(pictures) == 7
    assert pictures[0].shape == (50, 64, 3)
    for picture, frame in zip(pictures, frames(7), strict=True):
        assert np.abs(picture.astype(int) - frame[:50]).mean() < 6
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("bad", "message"),
    [([], "at least one frame"), (frames(2) + frames(1, 20, 20), "differ in size")],
)
def test_nothing_is_left_of_a_bad_video(tmp_path, bad, message):
    with pytest.raises(ValueError, match=message):
        write_video(tmp_path / "clip.mp4", bad, fps=10.0)
    assert list(Path(tmp_path).iterdir()) == []


def test_cameras_stand_side_by_side_over_their_caption():
    red, blue = np.zeros((96, 96, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    picture = compose({"rgb_static": red, "rgb_gripper": blue}, "push it", height=96)
    assert picture.shape == (96 + CAPTION_HEIGHT, 192, 3)
    assert (picture[:96, :96] == (255, 0, 0)).all()
    assert (picture[:96, 96:] == (0, 0, 255)).all()
    caption = picture[96:]
    assert len(np.unique(caption)) > 2
    assert not np.array_equal(
        caption, compose({"rgb_static": red, "b": blue}, "pull", height=96)[96:]
    )


def test_a_good_end_is_green_and_a_bad_one_red():
    seen = {"rgb_static": np.zeros((40, 40, 3), np.uint8)}
    clock = compose(seen, "push it", "3 of 5, 4.2 s")
    good = compose(seen, "push it", "3 of 5, 4.2 s: success", True)
    bad = compose(seen, "push it", "3 of 5, 12.0 s: failure", False)
    assert clock.shape == good.shape == bad.shape  # or they were no film
    lines = [picture[-CAPTION_HEIGHT // 2 :].reshape(-1, 3).max(0).astype(int) for picture in
             (clock, good, bad)]  # fmt: skip
    assert np.ptp(lines[0]) < 10
    assert lines[1].argmax() == 1
    assert lines[2].argmax() == 0
    assert min(np.ptp(lines[1]), np.ptp(lines[2])) > 60


def test_the_same_frames_give_the_same_bytes(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (5, 28, 50, 3), dtype=np.uint8)
    pictures = list(noise.repeat(8, axis=1).repeat(8, axis=2))
    written = set()
    for i in range(6):
        written.add(write_video(tmp_path / "clip.mp4", pictures, 10.0).read_bytes())
        np.full((1000 * i + 1, 1000), i)  # what memory held before must not matter
    assert len(written) == 1
