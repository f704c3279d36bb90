"""Conversions that are killed and started again end with the bytes of one that ran through."""

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import av
import numpy as np
import pytest

from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.storage.merge import EpisodeFile

KILLS = 10
SHARDS = 12  # about


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty videos of a moving square, and one that is cut short."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(40):
        rng = np.random.default_rng(number)
        noise = rng.integers(0, 256, (160, 160, 3), np.uint8)
        with av.open(str(folder / f"{number:02}.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=20)
            stream.width = stream.height = 160
            stream.pix_fmt = "yuv420p"
            for index in range(int(rng.integers(60, 120))):
                picture = noise.copy()
                picture[40:90, index : index + 40] = 255
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
    whole = (folder / "07.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    return folder


def words(videos: Path, out: str) -> tuple[str, ...]:
    megabytes = sum(path.stat().st_size for path in videos.iterdir()) / 1e6
    return (
        "convert", f"root={videos}", f"out={out}", "workers=2", "source.size=64",
        "source.seconds=2", f"shard_megabytes={megabytes / SHARDS:.3f}",
    )  # fmt: skip


def content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def finished(out: Path) -> int:
    return len(list(out.glob("shards/[0-9a-f]*.json")))


def check_whole(out: Path) -> None:
    """Whatever bears a final name can be read."""
    for path in out.glob("shards/*.h5"):
        EpisodeFile(path).verify()
    for path in [*out.glob("shards/[!.]*.json"), *out.glob("*.json")]:
        json.loads(path.read_text())
    if (out / "corpus.json").exists():
        Corpus.open(out).verify()


@pytest.fixture
def reference(firsthand, videos: Path) -> dict[str, bytes]:
    """What a conversion that nobody disturbs makes."""
    said = firsthand(*words(videos, "whole"), "run=whole_run").stdout
    assert "skipped cut.mp4: cannot be decoded" in said
    made = content(firsthand.folder / "whole")
    assert SHARDS / 2 < len([name for name in made if name.endswith(".h5")]) < 2 * SHARDS
    return made


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_kills_of_a_conversion_leave_no_trace(firsthand, videos, reference):
    """From the first moment to the writing of the index; every other time only the parent is
    killed, whose workers must not live on."""
    draw, kills, out = random.Random(1), 0, firsthand.folder / "out"
    shards = sum(name.startswith("shards/") and name.endswith(".json") for name in reference)
    while kills < KILLS:
        process = firsthand.start_or_resume(*words(videos, "out"), run=f"run{kills}")
        target = round(kills * shards / (KILLS - 1))
        while finished(out) < target and process.poll() is None:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.05 if target == shards else 1.0))
        if process.poll() is not None:  # it was faster: again from the start
            firsthand.ended(process, 0)
            assert content(out) == reference
            shutil.rmtree(out)
            continue
        if kills % 2:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        kills += 1
        print(f"killed with {finished(out)} of {shards} shards", sorted(out.glob("*.json")))
        check_whole(out)
    firsthand(*words(videos, "out"), "run=last")
    check_whole(out)
    assert content(out) == reference


def descendants(pid: int) -> list[tuple[int, str]]:
    """Processes below one, with their titles."""
    parents, titles = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            stat = (path / "stat").read_text()
            titles[int(path.name)] = (path / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        parents[int(path.name)] = int(stat.rpartition(")")[2].split()[1])
    found, below = [], {pid}
    while below:
        below = {child for child, parent in parents.items() if parent in below}
        found += [(child, titles[child]) for child in below]
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_worker_of_a_cluster_leaves_no_trace(firsthand, videos, reference):
    pytest.importorskip("ray")
    out = firsthand.folder / "out"
    process = firsthand.start(*words(videos, "out"), "executor=ray", "run=run")
    killed = 0
    while not killed:
        assert process.poll() is None, process.communicate()
        tasks = [p for p, title in descendants(process.pid) if title.startswith("ray::_call")]
        if finished(out) >= 3 and len(tasks) == 2:
            os.kill(tasks[0], signal.SIGKILL)
            killed = tasks[0]
        time.sleep(0.01)
    print(f"killed {killed} of {tasks} with {finished(out)} shards done")
    firsthand.ended(process, 0)
    check_whole(out)
    assert content(out) == reference


@pytest.mark.slow
def test_a_second_conversion_to_the_same_place_is_refused(firsthand, videos, reference):
    process = firsthand.start(*words(videos, "out"), "run=first")
    while not (firsthand.folder / "out" / "shards").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    error = firsthand.refuses(*words(videos, "out"), "run=second")
    assert "out: another process is converting into it" in error
    firsthand.ended(process, 0)
    assert content(firsthand.folder / "out") == reference
