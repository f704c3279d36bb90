import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

import episodes.videos
from episodes.errors import UserError
from episodes.store import EpisodeFile
from episodes.video import VideoSettings
from episodes.videos import VideoReport, read_videos, videos_to_store

REAL = Path(__file__).parents[3] / "shared" / "data" / "real_videos"
SETTINGS = VideoSettings(size=16, seconds=1.0)


def write_video(path, level, frames=14):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height = stream.width = 32
        stream.pix_fmt = "yuv420p"
        for index in range(frames):
            picture = np.full((32, 32, 3), level + index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture
def root(tmp_path):
    """Four good videos, and everything that goes wrong among them."""
    root = tmp_path / "clips"
    (root / "sub" / "nothing").mkdir(parents=True)
    for index, name in enumerate(["a.mp4", "b.mkv", "sub/c.MOV", "sub/d.mp4"]):
        write_video(root / name, 40 * index + 20)
    content = (root / "a.mp4").read_bytes()
    (root / "cut.mp4").write_bytes(content[: len(content) // 2])
    (root / "text.mp4").write_text("no video")
    with av.open(str(root / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (root / "notes.txt").write_text("not a video, and does not say so")
    (root / "lang_annotations.json").write_text(json.dumps({"a.mp4": "stir", "z.mp4": "gone"}))
    (root / "sub" / "d.csv").write_text("start,end,text\n0,0.5,one\n1.1,1.3,two\n")
    return root


def convert(root, out, **kwargs):
    return videos_to_store(root, out, SETTINGS, held_out_fraction=0.25, **kwargs)


def test_good_videos_are_used_and_bad_ones_named(root, tmp_path):
    report = convert(root, tmp_path / "out.h5")
    assert report.used == ("a.mp4", "b.mkv", "sub/c.MOV", "sub/d.mp4")
    assert dict(report.skipped).keys() == {"cut.mp4", "text.mp4", "sound.mp4", "sub/nothing"}
    reasons = dict(report.skipped)
    assert "cannot be decoded at its start" in reasons["cut.mp4"]
    assert "cannot be decoded at its start" in reasons["text.mp4"]
    assert reasons["sound.mp4"] == "has no video stream, only audio"
    assert reasons["sub/nothing"] == "is an empty folder"
    assert report.strangers == ("z.mp4",)
    assert sorted(os.listdir(tmp_path)) == ["clips", "out.h5"]

    file = EpisodeFile(tmp_path / "out.h5")
    file.verify()
    assert [header.length for header in file.headers] == [10, 4] * 4
    paths = [header.source["path"] for header in file.headers]
    assert paths == [name for name in report.used for _ in range(2)]
    assert [header.instruction for header in file.headers] == ["stir"] * 2 + [""] * 6
    assert [[n.text for n in h.narrations] for h in file.headers[6:]] == [["one"], ["two"]]
    for index in range(8):
        levels = file.read(index).frames["rgb_static"].mean((1, 2, 3))
        start = 40 * (index // 2) + 20 + 10 * (index % 2)
        assert np.abs(levels - (start + np.arange(len(levels)))).max() < 3
    held_out = {file.header(name).source["path"] for name in file.names("valid")}
    assert len(held_out) == 1
    assert not held_out & {file.header(name).source["path"] for name in file.names("train")}


def test_number_of_workers_changes_nothing(root, tmp_path):
    assert convert(root, tmp_path / "one.h5") == convert(root, tmp_path / "two.h5", workers=2)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_done_once_and_again_only_when_something_changed(root, tmp_path, monkeypatch):
    read = []
    original = episodes.videos.read_video
    monkeypatch.setattr(
        episodes.videos, "read_video", lambda *a: read.append(a[0].name) or original(*a)
    )
    out = tmp_path / "out.h5"
    report = convert(root, out)
    assert len(read) == 7
    assert convert(root, out) == report
    assert len(read) == 7
    (root / "sub" / "d.csv").write_text("start,end,text\n0,0.5,other\n")
    convert(root, out)
    assert len(read) == 14
    assert EpisodeFile(out).headers[6].narrations[0].text == "other"
    content = bytearray(out.read_bytes())
    content[1000] ^= 1
    out.write_bytes(content)
    assert convert(root, out) == report
    assert len(read) == 21
    EpisodeFile(out).verify()


def test_an_interrupted_conversion_goes_on(root, tmp_path, monkeypatch):
    convert(root, tmp_path / "whole.h5")
    original = episodes.videos.read_video

    def interrupted(path, *rest):
        if path.name == "d.mp4":
            raise KeyboardInterrupt
        return original(path, *rest)

    monkeypatch.setattr(episodes.videos, "read_video", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert(root, tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()
    read = []
    monkeypatch.setattr(
        episodes.videos, "read_video", lambda *a: read.append(a[0].name) or original(*a)
    )
    convert(root, tmp_path / "out.h5")
    assert sorted(read) == ["cut.mp4", "d.mp4", "sound.mp4", "text.mp4"]
    assert (tmp_path / "out.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


SCRIPT = """
import sys
from episodes.video import VideoSettings
from episodes.videos import videos_to_store
videos_to_store(sys.argv[1], sys.argv[2], VideoSettings(size=16, seconds=1.0), 0.25)
"""


def test_killed_at_any_moment_it_ends_with_the_same_bytes(root, tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(root), str(tmp_path / "out.h5")]
    convert(root, tmp_path / "whole.h5")
    cwd = Path(__file__).parents[2]
    for delay in (0.0, 0.05, 0.1):
        process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL)
        while process.poll() is None and not (tmp_path / "out.h5.shards").exists():
            time.sleep(0.005)
        time.sleep(delay)
        process.kill()
        process.wait()
        if (tmp_path / "out.h5").exists():
            EpisodeFile(tmp_path / "out.h5").verify()
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / "out.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_no_good_video_is_an_error(root, tmp_path):
    out = tmp_path / "out.h5"
    for name in ("a.mp4", "b.mkv"):
        (root / name).unlink()
    shutil.rmtree(root / "sub")
    with pytest.raises(UserError, match=r"clips: none of its 3 videos .*: cut\.mp4 cannot .*text"):
        convert(root, out)
    for name in ("cut.mp4", "text.mp4", "sound.mp4"):
        (root / name).unlink()
    with pytest.raises(UserError, match=r"clips: holds no video \(a file ending in \.mp4"):
        convert(root, out)
    with pytest.raises(UserError, match=r"nowhere: is no folder"):
        convert(tmp_path / "nowhere", out)
    assert sorted(os.listdir(tmp_path)) == ["clips"]


def test_read_videos_gives_episodes(root):
    episode = next(read_videos(root, SETTINGS))
    assert episode.frames["rgb_static"].shape == (10, 16, 16, 3)
    assert episode.instruction == "stir"
    assert episode.source == {"origin": "videos", "path": "a.mp4", "start_seconds": 0.0}


@pytest.mark.skipif(not REAL.exists(), reason="the real recordings are not here")
def test_real_recordings(tmp_path):
    root = tmp_path / "real"
    for name in ("calvin", "egocentric", "oxe"):
        (root / name).mkdir(parents=True)
        for path in [*sorted((REAL / name).glob("*.mp4"))[:2], *(REAL / name).glob("*.json")]:
            shutil.copy(path, root / name)
    settings = VideoSettings(fps=5.0, size=32, region="left view", quality=100)
    report = videos_to_store(root, tmp_path / "out.h5", settings)
    assert isinstance(report, VideoReport)
    assert len(report.used) == 6
    assert not report.skipped
    file = EpisodeFile(tmp_path / "out.h5")
    assert file.header(0).instruction == "rotate the pink block 90 degrees to the right"
    assert file.header(5).instruction == "close top drawer"
    for header in file.headers:
        with av.open(str(root / header.source["path"])) as container:
            stream = container.streams.video[0]
            rate, count = float(stream.average_rate), stream.frames
            frames = [f.to_image() for f in container.decode(stream)]
        assert header.length == int(np.ceil(count / rate * 5 - 0.06))
        width, height = frames[0].size
        k = round(len(frames) // 2 / rate * 5)
        picture = file.frames(header.name, "rgb_static", [k])[0].astype(int)
        width = width // 2 if width >= 2 * height else width
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        picked = frames[int(np.ceil(rate * k / 5 - 0.5))]  # the nearest, of two the earlier one
        expected = np.asarray(picked.resize((32, 32), 3, (left, top, left + side, top + side)))
        assert np.abs(picture - expected).mean() < 2
