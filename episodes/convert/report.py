"""What became of a dataset that was converted: what `report.json` says."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from firsthand.episodes.storage.header import to_json
from firsthand.episodes.tally import Parts, Tally, notes_of


@dataclass(frozen=True)
class ConversionReport:
    """Attributes:
    origin: the dataset's format.
    items: how many items the dataset claims to hold, usable or not.
    recordings: how many of them there are in each split.
    lost: every item that cannot be used, and why.
    notes: what is odd but costs nothing.
    parts: of the items that are used, by unit: how many parts are used, and every one that is lost.
    """

    origin: str
    items: int
    recordings: Mapping[str, int]
    lost: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    parts: tuple[Parts, ...] = ()

    def lines(self) -> list[str]:
        """What was lost and what is odd, a line each; items before their parts."""
        lines = [f"skipped {name}: {reason}" for name, reason in self.lost]
        for part in self.parts:
            if part.lost:
                lines.append(f"{part.lost_count:,} of {part.total:,} {part.unit}s are lost:")
                lines += [f"  {where}: {why} ({count})" for where, why, count in part.lost]
        return [*lines, *self.notes]

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
        tallies: Sequence[Tally] = (),
    ) -> "ConversionReport":
        """From the split of every recording, and what was counted on the way."""
        counted = dict(sorted(Counter(splits).items()))
        whole = Tally()
        for tally in tallies:
            whole.add(tally)
        return cls(origin, items, counted, tuple(lost), notes_of(whole, notes), whole.parts)

    def to_json(self) -> bytes:
        return (json.dumps(json.loads(to_json(asdict(self))), indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> "ConversionReport":
        values = json.loads(data)
        values["lost"] = tuple((name, reason) for name, reason in values["lost"])
        parts = (
            Parts(part["unit"], part["used"], tuple((w, r, n) for w, r, n in part["lost"]))
            for part in values.get("parts", ())
        )
        return cls(**values | {"notes": tuple(values["notes"]), "parts": tuple(parts)})
