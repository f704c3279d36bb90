"""What became of a dataset that was converted: what `report.json` says."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from episodes.header import to_json


@dataclass(frozen=True)
class Report:
    """Attributes:
    origin: the dataset's format.
    items: how many items the dataset claims to hold, usable or not.
    recordings: how many of them there are in each split.
    lost: every item that cannot be used, and why.
    notes: what is odd but costs nothing.
    """

    origin: str
    items: int
    recordings: Mapping[str, int]
    lost: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def used(self) -> int:
        return self.items - len(self.lost)

    @property
    def lost_share(self) -> float:
        return len(self.lost) / self.items

    @classmethod
    def of(
        cls,
        origin: str,
        items: int,
        splits: Sequence[str],
        lost: Sequence[tuple[str, str]],
        notes: Sequence[str],
    ) -> "Report":
        """From the split of every recording."""
        counted = dict(sorted(Counter(splits).items()))
        return cls(origin, items, counted, tuple(lost), tuple(notes))

    def to_json(self) -> bytes:
        return (json.dumps(json.loads(to_json(asdict(self))), indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Report":
        values = json.loads(data)
        values["lost"] = tuple((name, reason) for name, reason in values["lost"])
        return cls(**values | {"notes": tuple(values["notes"])})
