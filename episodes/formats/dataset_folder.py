"""The folder of a dataset of others: the names in it, and the files below it.

Links that lead out of the folder are named and not followed unless they are trusted (`links`): who
made a dataset is not who reads it.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from firsthand.common.errors import UserError
from firsthand.episodes.tally import Tally
from firsthand.episodes.untrusted.trust import inside

# What Windows, macOS and network drives leave beside names that begin with a dot.
_SYSTEM = {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "lost+found"}

Locate = Callable[[str | Path], Path]  # a dataset's `inside`: the file that it calls so


@dataclass(frozen=True, kw_only=True)
class Rooted:
    """A dataset at a path of this machine."""

    root: Path
    """Its folder, or its file."""
    links: bool = False
    """Follow links in it wherever they lead. Names in its tables stay inside in any case."""

    def inside(self, name: str | Path) -> Path:
        """See `episodes.untrusted.trust.inside`; "" and "." are the folder itself."""
        return self.root if str(name) in ("", ".") else inside(self.root, str(name), self.links)


def walk(root: Path, links: bool, tally: Tally) -> dict[Path, list[str]]:
    """The folders below `root`, itself included, and the sorted names of the files in each.

    A linked folder comes after all others and is read once, however many links lead to it. Without
    `links`, those outside `root` are lost, each by name. Noted are what systems leave (`._v1.mp4`,
    `.DS_Store`, `Thumbs.db`) and empty folders.

    Raises:
        UserError: there is no such folder.
    """
    if not root.is_dir():
        raise UserError(f"{root}: is no folder")
    found: dict[Path, list[str]] = {}
    waiting, linked, seen = [root], list[Path](), set[str]()
    while waiting or linked:
        folder = waiting.pop() if waiting else linked.pop(0)
        real = os.path.realpath(folder)
        if real in seen:
            tally.note("links to folders that are read in any case")
            continue
        if folder.is_symlink() and folder != root and not _followed(folder, root, links, tally):
            continue
        seen.add(real)
        files, folders = _content(folder, root, tally)
        waiting += [path for path in folders if not path.is_symlink()]
        linked += [path for path in folders if path.is_symlink()]
        found[folder] = files
    return found


def _followed(folder: Path, root: Path, links: bool, tally: Tally) -> bool:
    try:
        inside(root, str(folder.relative_to(root)), links)
    except UserError as error:
        tally.lose("link", str(folder.relative_to(root)), str(error).removeprefix(f"{folder}: "))
        return False
    tally.use("link")
    return True


def _content(folder: Path, root: Path, tally: Tally) -> tuple[list[str], list[Path]]:
    """Files and folders in a folder, without those that systems leave."""
    try:
        with os.scandir(folder) as entries:
            there = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        tally.lose("folder", str(folder.relative_to(root)), f"cannot be listed: {error.strerror}")
        return [], []
    seen = [entry for entry in there if not is_hidden(entry.name)]
    if len(seen) < len(there):
        tally.note("files that are hidden or left by systems are not read", len(there) - len(seen))
    if not seen:
        tally.note("empty folders")
    folders = [Path(entry.path) for entry in seen if _is_folder(entry)]
    names = {path.name for path in folders}
    return [entry.name for entry in seen if entry.name not in names], folders


def is_hidden(name: str) -> bool:
    """Whether a name is one that systems leave in folders: `._v1.mp4`, `.DS_Store`, `Thumbs.db`."""
    return name.startswith(".") or name.lower() in _SYSTEM


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) or (
        entry.is_symlink() and os.path.isdir(entry.path)  # False of links that lead in a circle
    )


def kinds(names: Iterable[str]) -> str:
    """How many of each ending: "3 .srt, 1 .txt, 1 without an ending"."""
    counted = Counter(Path(name).suffix.lower() or "without an ending" for name in names)
    return ", ".join(f"{count} {ending}" for ending, count in sorted(counted.items()))
