"""Walks an HDF5 file in a process of its own, which may die or be stopped. See `untrusted.hdf5`.

    python -P hdf5_probe.py FILE SECONDS

Every name, attribute and description of a dataset is looked at, whatever errors that gives, so that
whoever does the same afterwards meets nothing worse than errors. What is wrong beyond that goes to
the standard output. It runs as a script that knows nothing of this package, to start quickly.
"""

import resource
import sys
from contextlib import suppress
from typing import Any

import h5py

_MEMORY = 8 << 30  # bytes
_MAX_NAMES = 5_000_000


def problem(path: str) -> str:
    names: list[str] = []

    def fault(name: str, link: Any) -> str | None:
        """What ends the walk. (An exception in here would be lost in HDF5.)"""
        names.append(name)
        if isinstance(link, h5py.ExternalLink):
            return f"{name} is a link to another file, {link.filename!r:.100}"
        return f"holds more than {_MAX_NAMES:,} names" if len(names) > _MAX_NAMES else None

    with h5py.File(path, "r") as file:
        found = file.visititems_links(fault)
        for name in ["/", *names] if not found else ():
            with suppress(Exception):
                _look_at(file[name])
    return found or ""


def _look_at(thing: Any) -> None:
    for name in thing.attrs:
        with suppress(Exception):
            thing.attrs[name]
    if isinstance(thing, h5py.Dataset):
        _ = thing.is_virtual, thing.external, thing.id.get_storage_size()


if __name__ == "__main__":
    seconds = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    sys.stdout.buffer.write(problem(sys.argv[1]).encode(errors="replace"))
