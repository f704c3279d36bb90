"""Files that lie elsewhere, fetched whole into a bounded folder of this machine when needed.

The folder is `~/.cache/firsthand` and holds up to 50 GB; the environment's `FIRSTHAND_CACHE` and
`FIRSTHAND_CACHE_GB` say otherwise.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from firsthand.common import uri
from firsthand.common.errors import UserError
from firsthand.common.lock import lock
from firsthand.common.uri import Uri
from firsthand.episodes.corpus.manifest import Shard
from firsthand.episodes.storage.reader import EpisodeFile

_DEFAULT_GB = 50
_PARTIAL = ".partial"


def fetch_shard(location: Uri, shard: Shard) -> Path:
    """A shard as a file of this machine; a fetched one has been checked byte by byte.

    Raises:
        UserError: it is not there, cannot be reached, or arrives damaged.
    """
    if not uri.is_remote(location):
        return uri.local(location)

    def check(path: Path) -> None:
        with EpisodeFile(path) as file:
            check_fingerprint(file, shard)
            file.verify()

    return fetch(location, shard.fingerprint, check)


def check_fingerprint(file: EpisodeFile, shard: Shard) -> None:
    """Raise `UserError` unless a file is the one that the index was made of."""
    if file.fingerprint != shard.fingerprint:
        raise UserError(
            f"{file.path}: is not the file that was indexed "
            f"(its fingerprint is {file.fingerprint}, not {shard.fingerprint})"
        )


def fetch(location: Uri, version: str, check: Callable[[Path], None]) -> Path:
    """A remote file under a name of its own in the cache, fetched unless that version is there.

    It gets its name when it has passed `check`, and processes that want the same file wait for the
    one that fetches it. What was used longest ago is removed to make room; a process that has it
    open may go on reading it.

    Raises:
        UserError: it cannot be reached, or does not pass.
    """
    folder = Path(os.environ.get("FIRSTHAND_CACHE") or Path.home() / ".cache" / "firsthand")
    stem = sha256(f"{location}\n{version}".encode()).hexdigest()[:20]
    path = folder / f"{stem}-{str(location).rpartition('/')[2]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while not _use(path):
            with _ours(path.with_name(path.name + _PARTIAL)) as partial:
                if partial is not None and not path.exists():
                    _fetch(location, partial, check)
                    os.replace(partial, path)
                    _make_room(folder, path)
    except OSError as error:
        raise UserError(f"{location}: cannot be kept in {folder}: {error.strerror}") from None
    return path


def _use(path: Path) -> bool:
    """Whether a file is there; if so it counts as used now."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _fetch(location: Uri, partial: Path, check: Callable[[Path], None]) -> None:
    try:
        uri.download(location, partial)
        check(partial)
    except UserError as error:
        what = str(error).removeprefix(f"{partial}: ").removeprefix(f"{location}: ")
        raise UserError(f"{location}: {what}") from None


@contextmanager
def _ours(shared: Path) -> Iterator[Path | None]:
    """Wait until nobody else writes a file, then hold it; None if it got its name meanwhile.

    What is left of it in the end is removed.
    """
    partial = shared
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if lock(descriptor, wait=True) is None:  # then others may be at it: each has its own
            shared.unlink(missing_ok=True)
            partial = shared.with_name(f"{shared.stem}.{os.getpid()}{_PARTIAL}")
        elif not _is(partial, descriptor):
            yield None
            return
        try:
            yield partial
        finally:
            if partial != shared or _is(partial, descriptor):
                partial.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.stat(path).st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _make_room(folder: Path, newest: Path) -> None:
    """Remove what was used longest ago until the rest is within the limit."""
    limit = float(os.environ.get("FIRSTHAND_CACHE_GB") or _DEFAULT_GB) * 1e9
    files = []
    for path in folder.iterdir():
        try:
            files.append((path.stat().st_mtime, path.stat().st_size, path))
        except FileNotFoundError:  # another process was faster
            continue
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= limit:
            return
        if path != newest and (path.suffix != _PARTIAL or _is_abandoned(path)):
            path.unlink(missing_ok=True)
            total -= size


def _is_abandoned(partial: Path) -> bool:
    """Whether the process that wrote a file was killed."""
    try:
        with partial.open("r+b") as file:  # NFS locks only what is open for writing
            return lock(file) is True
    except OSError:
        return False
