"""How much of a dataset was used and how much was lost, in the unit that was damaged."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Parts:
    """The parts of one kind in a dataset, those that were used and those that were lost.

    Attributes:
        unit: what is counted, in the singular: "sentence", "frame", "picture", "signal".
        used: how many of them were used.
        lost: where each loss is, why, and how many parts it cost.
    """

    unit: str
    used: int
    lost: tuple[tuple[str, str, int], ...] = ()

    @property
    def lost_count(self) -> int:
        return sum(count for _, _, count in self.lost)

    @property
    def total(self) -> int:
        return self.used + self.lost_count


@dataclass
class Tally:
    """What readers count while they list a dataset or read an item.

    A reader that goes on without a damaged part says so here (`lose`), and counts the parts of the
    same unit that it does use (`use`), so that used + lost = all. What it leaves out because nobody
    can use it is no loss: `note` says so, once a kind, with how often it was met.
    """

    used: Counter[str] = field(default_factory=Counter)
    lost: list[tuple[str, str, str, int]] = field(default_factory=list)  # unit, where, why, count
    notes: Counter[str] = field(default_factory=Counter)

    def use(self, unit: str, count: int = 1) -> None:
        self.used[unit] += count

    def lose(self, unit: str, where: str, reason: str, count: int = 1) -> None:
        """A part of an item, or several side by side; `where` names the file and the place."""
        self.lost.append((unit, where, reason, count))

    def note(self, text: str, count: int = 1) -> None:
        self.notes[text] += count

    def add(self, other: "Tally") -> None:
        self.used.update(other.used)
        self.lost += other.lost
        self.notes.update(other.notes)

    @property
    def parts(self) -> tuple[Parts, ...]:
        """By unit, in alphabetical order."""
        units = sorted({*self.used, *(unit for unit, *_ in self.lost)})
        return tuple(
            Parts(unit, self.used[unit], tuple((w, r, n) for u, w, r, n in self.lost if u == unit))
            for unit in units
        )

    def to_json(self) -> dict[str, Any]:
        return {"used": dict(sorted(self.used.items())), "lost": [list(loss) for loss in self.lost],
                "notes": dict(sorted(self.notes.items()))}  # fmt: skip

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Tally":
        """Raises ValueError, TypeError or LookupError unless the values are `to_json`'s."""
        lost = [(str(unit), str(where), str(why), int(n)) for unit, where, why, n in values["lost"]]
        return cls(Counter(values["used"]), lost, Counter(values["notes"]))


def notes_of(tally: Tally, first: Sequence[str] = ()) -> tuple[str, ...]:
    """The notes in words, after those that were `first` of the whole dataset."""
    met = sorted(tally.notes.items())
    return (*first, *(f"{text} ({count} times)" if count > 1 else text for text, count in met))
