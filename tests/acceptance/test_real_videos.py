"""Real recordings become a corpus in one command, and show what FFmpeg's command line shows."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firsthand.cli import main as cli
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.video.decode import OpenVideo
from firsthand.episodes.video.frames import upright

REAL = Path(__file__).parents[3] / "shared" / "data" / "real_videos"
pytestmark = [
    pytest.mark.skipif(not REAL.exists(), reason="the real recordings are not here"),
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg"),
]
FPS, SIZE = 7.5, 64


def ffmpeg(path, pixels):
    """Every frame of a video, as bytes of a pixel format."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v:0"]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", pixels, "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def ffprobe(path):
    """When every frame is shown, and the width and height."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-of", "json"]
    command += ["-show_entries", "frame=pts_time:stream=width,height", str(path)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    times = np.array([float(frame["pts_time"]) for frame in told["frames"]])
    return times - times[0], told["streams"][0]["width"], told["streams"][0]["height"]


@pytest.mark.parametrize("path", sorted(REAL.rglob("*.mp4")), ids=lambda path: path.name)
def test_frames_and_times_are_those_of_ffmpeg(path):
    times, width, height = ffprobe(path)
    with OpenVideo(path) as video:
        shown = list(video.frames())
    np.testing.assert_allclose([float(s.start) for s in shown], times, atol=1e-6)
    decoded = b"".join(s.frame.to_ndarray().tobytes() for s in shown)
    assert decoded == ffmpeg(path, shown[0].frame.format.name)
    pictures = np.frombuffer(ffmpeg(path, "rgb24"), np.uint8).reshape(-1, height, width, 3)
    for s, picture in zip(shown, pictures, strict=True):
        pixels, _ = upright(s.frame.to_ndarray(format="rgb24"), s.frame)
        assert np.abs(pixels.astype(int) - picture).max() <= 1


def test_one_command_makes_a_corpus_of_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    settings = [f"source.fps={FPS}", f"source.size={SIZE}", "source.quality=100"]
    words = ["convert", f"root={REAL}", "out=corpus", "workers=1", *settings]
    assert cli.main([*words, "source.region=left view", "held_out=0.2"]) == 0
    assert "29 of 29 items used" in capsys.readouterr().out
    texts = {
        str(file.parent.relative_to(REAL) / name): text
        for file in REAL.rglob("lang_annotations.json")
        for name, text in json.loads(file.read_text()).items()
    }
    assert len(texts) == 20
    corpus = Corpus.open("corpus")
    names = set()
    for number in range(len(corpus)):
        file, episode = corpus.file(number)
        header = file.header(episode)
        name = header.source["item"]
        names.add(name)
        assert header.instruction == texts.get(name, "")
        assert_shows_what_ffmpeg_shows(REAL / name, file.read(episode))
    assert len(names) == len(corpus) == 29
    held_out = len(corpus.split("valid"))
    assert (held_out, len(corpus.split("train"))) == (6, 23)


def assert_shows_what_ffmpeg_shows(path, episode):
    """Frame k is FFmpeg's frame nearest to k / FPS, cut and scaled, within JPEG's rounding."""
    times, width, height = ffprobe(path)
    pictures = np.frombuffer(ffmpeg(path, "rgb24"), np.uint8).reshape(-1, height, width, 3)
    view = width // 2 if width >= 2 * height else width
    side = min(view, height)
    left, top = (view - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    assert episode.fps == FPS
    assert abs(len(episode) / FPS - times[-1]) < 1.5 / FPS + 0.2
    for k, frame in enumerate(episode.frames["rgb_static"]):
        nearest = int(np.argmin(np.round(np.abs(times - k / FPS), 6)))
        picture = Image.fromarray(pictures[nearest])
        expected = np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box))
        difference = np.abs(frame.astype(int) - expected)
        assert difference.mean() < 1
        assert difference.max() < 12
