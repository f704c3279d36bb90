import json
import os
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.common.executor import LocalExecutor
from firsthand.episodes.convert.convert import ConvertSettings, convert
from firsthand.episodes.convert.source import Source, read
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.formats.video_folder import VideoFolder

REAL = Path(__file__).parents[4] / "shared" / "data" / "real_videos"


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


def made(root, out, **settings):
    """The corpus of a folder, and what became of it."""
    settings = ConvertSettings(held_out=0.25, max_lost=0.5, **settings)
    report = convert(VideoFolder(root=root, size=16, seconds=1.0), out, settings, LocalExecutor(0))
    return Corpus.open(out), report


def test_good_videos_are_used_and_bad_ones_named(root, tmp_path):
    corpus, report = made(root, tmp_path / "out")
    assert (report.items, report.used) == (7, 4)
    reasons = dict(report.lost)
    assert reasons.keys() == {"cut.mp4", "text.mp4", "sound.mp4"}
    assert "cannot be decoded at its start" in reasons["cut.mp4"]
    assert "cannot be decoded at its start" in reasons["text.mp4"]
    assert reasons["sound.mp4"] == "has no video stream, only audio"
    assert report.notes == (
        "narrations name z.mp4, which is no video here",
        "empty folders",
        "other files are not read: 1 .txt",
    )

    headers = [corpus.header(n) for n in range(len(corpus))]
    assert [header.length for header in headers] == [10, 4] * 4
    used = [name for name in ("a.mp4", "b.mkv", "sub/c.MOV", "sub/d.mp4") for _ in range(2)]
    assert [header.source["item"] for header in headers] == used
    assert [corpus.group(n) for n in range(len(corpus))] == used
    assert [header.instruction for header in headers] == ["stir"] * 2 + [""] * 6
    assert [[n.text for n in header.narrations] for header in headers[6:]] == [["one"], ["two"]]
    for index in range(8):
        file, episode = corpus.file(index)
        levels = file.read(episode).frames["rgb_static"].mean((1, 2, 3))
        start = 40 * (index // 2) + 20 + 10 * (index % 2)
        assert np.abs(levels - (start + np.arange(len(levels)))).max() < 3
    held_out = {used[n] for n in corpus.split("valid")}
    assert len(held_out) == 1
    assert not held_out & {used[n] for n in corpus.split("train")}


def test_whatever_decides_a_recording_is_in_its_version(root):
    folder = VideoFolder(root=root)
    before = {item.name: item.version for item in folder.listing().items}
    (root / "sub" / "d.csv").write_text("start,end,text\n0,0.5,other\n")
    os.utime(root / "b.mkv", (1, 1))
    after = {item.name: item.version for item in folder.listing().items}
    assert {name for name in before if before[name] != after[name]} == {"b.mkv", "sub/d.mp4"}


def test_a_changed_sentence_changes_the_corpus(root, tmp_path):
    made(root, tmp_path / "out")
    (root / "sub" / "d.csv").write_text("start,end,text\n0,0.5,other\n")
    corpus, _ = made(root, tmp_path / "out")
    assert corpus.header(6).narrations[0].text == "other"


def test_no_good_video_is_an_error(root, tmp_path):
    for name in ("a.mp4", "b.mkv"):
        (root / name).unlink()
    shutil.rmtree(root / "sub")
    with pytest.raises(UserError, match=r"none of the 3 items can be used: cut\.mp4 cannot .*text"):
        made(root, tmp_path / "out")
    for name in ("cut.mp4", "text.mp4", "sound.mp4"):
        (root / name).unlink()
    with pytest.raises(UserError, match=r"clips: holds no video \(a file ending in \.mp4"):
        made(root, tmp_path / "nothing")
    with pytest.raises(UserError, match=r"nowhere: is no folder"):
        made(tmp_path / "nowhere", tmp_path / "nothing")
    assert sorted(os.listdir(tmp_path)) == ["clips", "out"]


def test_a_folder_can_be_read_without_converting(root):
    folder = VideoFolder(root=root, size=16, seconds=1.0)
    assert isinstance(folder, Source)
    episode = next(read(folder))
    assert episode.frames["rgb_static"].shape == (10, 16, 16, 3)
    assert episode.instruction == "stir"
    assert episode.source == {"origin": "videos", "item": "a.mp4", "start_seconds": 0.0}


@pytest.mark.skipif(not REAL.exists(), reason="the real recordings are not here")
def test_real_recordings(tmp_path):
    root = tmp_path / "real"
    for name in ("calvin", "egocentric", "oxe"):
        (root / name).mkdir(parents=True)
        for path in [*sorted((REAL / name).glob("*.mp4"))[:2], *(REAL / name).glob("*.json")]:
            shutil.copy(path, root / name)
    folder = VideoFolder(root=root, fps=5.0, size=32, region="left view", quality=100)
    report = convert(folder, tmp_path / "out", executor=LocalExecutor(0))
    assert (report.items, report.lost) == (6, ())
    corpus = Corpus.open(tmp_path / "out")
    assert corpus.header(0).instruction == "rotate the pink block 90 degrees to the right"
    assert corpus.header(5).instruction == "close top drawer"
    for number in range(len(corpus)):
        file, episode = corpus.file(number)
        header = file.header(episode)
        with av.open(str(root / header.source["item"])) as container:
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
