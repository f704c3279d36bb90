"""Datasets for tests of conversion: as large and as damaged as one likes, made of nothing."""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Item, Listing
from firsthand.episodes.episode import Episode
from firsthand.episodes.tally import Tally


@dataclass(frozen=True, kw_only=True)
class Toys:
    """Recordings of a single colour.

    Attributes:
        root: a folder in which every reading of an item leaves a mark.
        listed: a JSON file that says what there is: the `names` of the items, which are also what
            happens to them (see `read`), `versions` and `splits` of some of them, and the listing's
            `lost` and `notes`.
        level: how bright pictures are.
    """

    root: Path
    listed: Path
    level: int = 10

    @classmethod
    def make(cls, folder: Path, names: Sequence[str], level: int = 10, **listed: Any) -> "Toys":
        (folder / "toys").mkdir(exist_ok=True)
        path = folder / "listed.json"
        path.write_text(json.dumps({"names": list(names), **listed}))
        return cls(root=folder / "toys", listed=path, level=level)

    @property
    def origin(self) -> str:
        return "toys"

    def listing(self) -> Listing:
        said = json.loads(self.listed.read_text())
        versions, splits = said.get("versions", {}), said.get("splits", {})
        items = tuple(
            Item(name, f"of {name}", versions.get(name, "1"), 1.0, splits.get(name, ""))
            for name in said["names"]
        )
        lost = tuple((name, reason) for name, reason in said.get("lost", ()))
        return Listing(items, lost, tuple(said.get("notes", ())))

    def read(self, item: Item, tally: Tally) -> Iterator[Episode]:
        """Two recordings, unless the item's name says that something happens between them."""
        with (self.root / item.name).open("a") as marks:
            marks.write(f"{os.getpid()}\n")
        yield self.recording(item.name, 0)
        if item.name.startswith("worn"):
            tally.use("picture", 5)
            tally.lose("picture", f"{item.name}/3.jpg", "is no JPEG")
            tally.note("sound is not read")
        if item.name.startswith("bad") or item.name.endswith("then bad"):
            raise UserError("is bad")
        if item.name.startswith("odd"):
            raise KeyError("missing")
        if item.name.startswith("nan"):
            yield self.recording(item.name, 1, np.nan)
        if item.name.startswith("deadly"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if item.name.startswith("frail") and self.times(item.name) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        yield self.recording(item.name, 1)

    def recording(self, name: str, number: int, action: float = 0.5) -> Episode:
        level = (self.level + 40 * number + len(name)) % 256
        return Episode(
            {"rgb_static": np.full((3, 8, 8, 3), level, np.uint8)},
            10.0,
            f"{name} {number}",
            actions=np.full((3, 7), action, np.float32),
        )

    def times(self, name: str) -> int:
        """How often an item has been read."""
        mark = self.root / name
        return len(mark.read_text().splitlines()) if mark.exists() else 0

    def read_names(self) -> list[str]:
        """All that has been read, and forget it."""
        read = [name for name in sorted(os.listdir(self.root)) for _ in range(self.times(name))]
        for path in self.root.iterdir():
            path.unlink()
        return read
