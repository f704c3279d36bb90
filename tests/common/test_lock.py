"""Locks keep others out where there are any, and nobody where there are none."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from firsthand.cli import run_dir as run
from firsthand.common import lock as locks
from firsthand.common.atomic import PartialFile
from firsthand.common.errors import UserError
from firsthand.episodes.convert import convert as conversion
from firsthand.episodes.corpus import remote_files
from firsthand.episodes.formats.lerobot import writer as lerobot_writer
from tests.firsthand.cli.test_run_dir import settings

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, 524, errno.EBADF, errno.EIO)


@pytest.fixture
def flock(monkeypatch):
    """Makes the file system answer every lock with an error."""

    def answers(number: int) -> None:
        def refuse(file, operation) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", refuse)
        locks._say_once.cache_clear()

    return answers


def partial_file(folder: Path) -> None:
    file = PartialFile(folder / "file")
    file.write(b"whole")
    file.commit()


def dataset(folder: Path) -> None:
    writer = lerobot_writer.LeRobotWriter(folder / "dataset")
    writer.__enter__()
    os.close(writer._lock)


def corpus(folder: Path) -> None:
    with conversion._held(folder / "corpus"):
        pass


def a_run(folder: Path) -> None:
    with run.open_run("toy", settings(), folder / "run"):
        pass


def fetched(folder: Path) -> None:
    with remote_files._ours(folder / "a.partial") as partial:
        assert partial is not None
        partial.write_text("whole")
        os.replace(partial, folder / "a")
    assert [path.name for path in folder.iterdir()] == ["a"]


WRITERS = (partial_file, dataset, corpus, a_run)


@pytest.mark.parametrize("number", NO_LOCKS)
@pytest.mark.parametrize("write", [*WRITERS, fetched])
def test_without_locks_everybody_writes_and_it_is_said_once(
    write, number, flock, tmp_path, capsys
) -> None:
    flock(number)
    write(tmp_path)
    (tmp_path / "again").mkdir()
    write(tmp_path / "again")
    (line,) = capsys.readouterr().err.splitlines()
    assert "has no locks" in line
    assert os.strerror(number) in line


@pytest.mark.parametrize("write", WRITERS)
def test_what_another_process_holds_is_refused(write, flock, tmp_path, capsys) -> None:
    flock(errno.EWOULDBLOCK)
    with pytest.raises(UserError, match="process"):
        write(tmp_path)
    assert capsys.readouterr().err == ""


def test_without_locks_nobody_s_download_counts_as_abandoned(flock, tmp_path) -> None:
    half = tmp_path / "half.partial"
    half.touch()
    assert remote_files._is_abandoned(half)
    flock(errno.ENOLCK)
    assert not remote_files._is_abandoned(half)
