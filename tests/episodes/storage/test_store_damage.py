"""Stores that are damaged, cannot be written, or point elsewhere."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Episode
from firsthand.episodes.storage.checksum import seal
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter
from tests.helpers.stores import write


@pytest.mark.parametrize("kind", ["external", "virtual", "link"])
def test_no_file_hands_out_another(tmp_path, episodes, kind):
    """However well sealed: who made it could otherwise have any file here read."""
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.full((9, 15), 7, "f4")
        offset = file["x"].id.get_offset()
    path = write(tmp_path / "a.h5", episodes)
    with h5py.File(path, "r+") as file:
        obs = file["data/demo_0/obs"]
        del obs["state"]
        if kind == "external":
            storage = [(str(secret), offset, 9 * 15 * 4)]
            obs.create_dataset("state", (9, 15), "f4", external=storage)
        elif kind == "virtual":
            layout = h5py.VirtualLayout((9, 15), "f4")
            layout[:] = h5py.VirtualSource(secret, "x", (9, 15))
            obs.create_virtual_dataset("state", layout)
        else:
            obs["state"] = h5py.ExternalLink(secret, "x")
    seal(path)
    with pytest.raises(UserError, match=r"a\.h5: "):
        EpisodeFile(path).state(0)
    with pytest.raises(UserError, match=r"a\.h5: "):
        EpisodeFile(path).read(0)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory, episodes):
    path = write(tmp_path_factory.mktemp("sealed") / "a.h5", episodes)
    return path, [_content(EpisodeFile(path).read(index)) for index in range(3)]


def _content(episode: Episode):
    frames = {camera: pictures.tobytes() for camera, pictures in episode.frames.items()}
    arrays = [None if a is None else a.tobytes() for a in (episode.state, episode.actions)]
    return frames, arrays, episode.fps, episode.instruction, episode.narrations, episode.source


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_flipped_byte_is_an_error_or_changes_nothing(sealed, data):
    path, expected = sealed
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    broken = path.with_name("broken.h5")
    broken.write_bytes(content)
    with pytest.raises(UserError, match=r"broken\.h5: "), EpisodeFile(broken) as file:
        file.verify()
    error, read = "", None
    try:
        with EpisodeFile(broken) as file:
            read = [_content(file.read(index)) for index in range(3)]
    except UserError as user_error:
        error = str(user_error)
    assert read == expected or ("broken.h5: " in error and "\n" not in error)


def test_damage_names_the_recording(tmp_path, make_episode):
    big = [make_episode(seed, 40, cameras={"rgb_static": (96, 96)}) for seed in range(3)]
    path = write(tmp_path / "a.h5", big, ["train"] * 3)
    needle = EpisodeFile(path).read_encoded(1).frames["rgb_static"].data[20]
    content = bytearray(path.read_bytes())
    content[content.index(needle) + len(needle) // 2] ^= 1
    path.write_bytes(content)
    file = EpisodeFile(path)
    file.read(0), file.read(2)
    with pytest.raises(UserError, match=r"a\.h5: demo_1 cannot be read: bytes \d+ to \d+ are"):
        file.read(1)
    with pytest.raises(UserError, match=r"a\.h5: rgb_static of demo_1 cannot be read"):
        file.frames(1, "rgb_static", [20])
    with pytest.raises(UserError, match=r"a\.h5: .* damaged, in demo_1;"):
        file.verify()


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from firsthand.episodes.episode import Episode
from firsthand.common.errors import UserError
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter

frames = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
path = Path(sys.argv[1]) / "a.h5"
for limit in [*range(0, 120_000, 1511), 10**9]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        with EpisodeWriter(path) as writer:
            for _ in range(8):
                writer.add(Episode({"rgb_static": frames}, 10.0))
    except UserError as error:
        assert "a.h5: cannot be written: File too large" in str(error), error
        assert list(path.parent.iterdir()) == []
        failed = limit
    else:
        assert len(EpisodeFile(path)) == 8
        path.unlink()
print("done after failing up to", failed)
"""


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path):
    """HDF5 itself would crash: run where that is seen."""
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout.startswith("done after failing up to")


def test_two_writers_of_one_file(tmp_path, episodes):
    with EpisodeWriter(tmp_path / "a.h5") as first:
        first.add(episodes[0])
        with (
            pytest.raises(UserError, match=r"a\.h5: is being written by another process"),
            EpisodeWriter(tmp_path / "a.h5") as second,
        ):
            second.add(episodes[1])
        first.add(episodes[2])
    assert [header.instruction for header in EpisodeFile(tmp_path / "a.h5").headers] == [
        "push the red block",
        "open it",
    ]
