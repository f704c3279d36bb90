"""Files that lie elsewhere, fetched whole into a bounded folder of this machine when needed."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from episodes import place as places
from episodes.errors import UserError
from episodes.manifest import Shard
from episodes.place import Place
from episodes.reader import EpisodeFile

FOLDER, LIMIT = "FIRSTHAND_CACHE", "FIRSTHAND_CACHE_GB"  # environment variables
_DEFAULT_GB = 50


def fetch_shard(place: Place, shard: Shard) -> Path:
    """A shard as a file of this machine; a fetched one has been checked byte by byte.

    Raises:
        UserError: it is not there, cannot be reached, or arrives damaged.
    """
    if not places.is_remote(place):
        return places.local(place)

    def check(path: Path) -> None:
        with EpisodeFile(path) as file:
            if file.fingerprint != shard.fingerprint:
                raise UserError(
                    f"its fingerprint is {file.fingerprint}, not {shard.fingerprint}: "
                    "it is not the file that was indexed"
                )
            file.verify()

    return fetch(place, shard.fingerprint, check)


def fetch(place: Place, version: str, check: Callable[[Path], None]) -> Path:
    """A remote file under a name of its own in the cache, fetched unless that version is there.

    It gets its name when it has passed `check`. Several processes that want the same file wait for
    the one that fetches it. The file may be removed when others are fetched; who has it open keeps
    it.

    Raises:
        UserError: it cannot be reached, or does not pass.
    """
    folder = Path(os.environ.get(FOLDER) or Path.home() / ".cache" / "firsthand")
    name = str(place).rpartition("/")[2]
    stem = sha256(f"{place}\n{version}".encode()).hexdigest()[:20]
    path = folder / f"{stem}-{name}"
    with _locked(folder / f"{stem}.lock"):
        if not path.is_file():
            partial = folder / f"{stem}.partial"
            try:
                places.download(place, partial)
                check(partial)
                os.replace(partial, path)
            except UserError as error:
                raise UserError(f"{place}: {str(error).removeprefix(f'{partial}: ')}") from None
            finally:
                partial.unlink(missing_ok=True)
            _make_room(folder, keep=path)
        os.utime(path)
    return path


def _make_room(folder: Path, keep: Path) -> None:
    """Remove what was used longest ago until the rest is within the limit."""
    limit = float(os.environ.get(LIMIT) or _DEFAULT_GB) * 1e9
    files = []
    for entry in os.scandir(folder):
        try:
            files.append((entry.stat().st_mtime, entry.stat().st_size, entry.path))
        except FileNotFoundError:  # another process was faster
            continue
    size = sum(bytes for _, bytes, _ in files)
    for _, bytes, path in sorted(files):
        if size <= limit:
            return
        if path != str(keep) and not path.endswith((".lock", ".partial")):
            Path(path).unlink(missing_ok=True)
            size -= bytes


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
