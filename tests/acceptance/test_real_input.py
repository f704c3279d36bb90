"""Pretraining on recordings that nobody here made, with files among them that are none."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

BAD = {
    "bad/cut.mp4": "at its start, cut short or no video",
    "bad/sound.mp4": "has no video stream, only audio",
    "bad/text.mp4": "at its start, cut short or no video",
}


def spoil(root: Path, whole: Path) -> None:
    """Put everything beside good videos that can be wrong with one."""
    folder = root / "bad"
    (folder / "nothing").mkdir(parents=True)
    content = whole.read_bytes()
    (folder / "cut.mp4").write_bytes(content[: len(content) // 2])
    (folder / "text.mp4").write_text("This is a shopping list.\n")
    with av.open(str(folder / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        for _ in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate = 44100
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture
def recordings(shared: Path, tmp_path: Path) -> Iterator[Path]:
    source = shared / "data" / "real_videos"
    if not source.is_dir():
        pytest.skip(f"needs {source}, which is not here")
    root = tmp_path / "real_videos"
    shutil.copytree(source, root, copy_function=shutil.copyfile)
    root.chmod(0o755)
    return root


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_real_videos_teach_and_bad_ones_are_named(firsthand, recordings, tmp_path):
    spoil(recordings, recordings / "egocentric" / "ego4d_1.mp4")
    said = firsthand(
        "pretrain", "corpus=videos", f"corpus.root={recordings}", "training.steps=300", "run=run"
    ).stdout
    for name, reason in BAD.items():
        (line,) = re.findall(rf"^skipped {name}: .*$", said, re.MULTILINE)
        assert reason in line
    assert "\nempty folders\n" in said
    assert "29 of 32 items used" in said
    last = {}
    for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines():
        last |= json.loads(line)
    assert last["step"] == 300
    assert last["val/psnr"] > last["val/psnr_copy"] > 10
    for tag in ("val/psnr", "val/psnr_copy", "val/skill"):
        assert re.search(rf"{tag}\s+{last[tag]:.5g}", said)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert events.Images("pictures/strip/rgb_static")[-1].step == 300


@pytest.mark.slow
def test_a_folder_of_bad_videos_alone_fails(firsthand, recordings, tmp_path):
    spoil(tmp_path / "root", recordings / "egocentric" / "ego4d_1.mp4")
    error = firsthand.refuses("pretrain", "corpus=videos", "corpus.root=root", "run=run")
    for name, reason in BAD.items():
        assert name in error
        assert reason in error
    assert not (tmp_path / "run").exists()
    assert not list((tmp_path / "data").rglob("*.hdf5*"))
