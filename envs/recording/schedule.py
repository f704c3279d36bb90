"""Which demonstrations are made, in which order.

They come in rows, as instructions come in a chain: the first begins in a layout in which its task
can be begun, each of the others where the one before it ended. So they show how a task is done
with the tool still at the drawer's bar, or beside the shelf.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from firsthand.common.atomic import write_text
from firsthand.common.errors import UserError

FAILURES_ALLOWED = 20  # for every task, beyond as many as there are successes
LENGTH = 5  # demonstrations in a row, at most


class DemoRequest(NamedTuple):
    """What is to be shown, and on which desk."""

    task: str
    scene: str

    def __str__(self) -> str:
        return f"{self.task} in scene {self.scene}"


@dataclass(frozen=True)
class RecordAttempt:
    """A row of demonstrations to be made.

    Attributes:
        request: the first of them.
        index: of the row, and of the layout that it begins in.
        wanted: how many of every task were missing when it was planned: the others are drawn from
            these, as long as one of them can be begun.
    """

    request: DemoRequest
    index: int
    wanted: Mapping[str, int]

    def __str__(self) -> str:
        return f"{self.request}, {self.index}"

    @property
    def name(self) -> str:
        """Of the files that a finished attempt leaves, without their endings."""
        return f"{self.index:06d}"


@dataclass(frozen=True)
class RecordOutcome:
    """What came of an attempt: the tasks that were `done`, which are stored in this order, and the
    one that `failed` if the row ended so."""

    scene: str
    done: tuple[str, ...]
    failed: str | None = None

    def save(self, path: Path) -> None:
        write_text(path, json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> "RecordOutcome":
        fields = json.loads(path.read_text())
        return cls(**fields | {"done": tuple(fields["done"])})


class RecordingSchedule:
    """Which rows are still to be made.

    They are planned in rounds, each from what the rows of the last ones showed: the rarest are
    begun with, and none shows what there is enough of. A round is about half of what is missing.
    So the rows, and which demonstrations are kept, depend neither on the number of workers nor on
    interruptions.

    Args:
        wanted: how many demonstrations of each.
        parts: the folder where finished attempts lie; what is there need not be done again.
        length: demonstrations in a row, at most.
    """

    def __init__(
        self, wanted: Mapping[DemoRequest, int], parts: Path, length: int = LENGTH
    ) -> None:
        self._wanted, self._length = wanted, length
        self._ended = {int(p.stem): RecordOutcome.load(p) for p in parts.glob("[0-9]*.json")}
        self._round: list[RecordAttempt] = []
        self._planned = 0  # rows in all rounds so far
        self._to_begin: list[RecordAttempt] = []

    def next_attempt(self) -> RecordAttempt | None:
        """What to try now, or None when enough is under way."""
        while not self._to_begin:
            if any(attempt.index not in self._ended for attempt in self._round):
                return None
            self._round = self._plan()
            if not self._round:
                return None
            self._planned += len(self._round)
            self._to_begin = [a for a in self._round if a.index not in self._ended]
        return self._to_begin.pop(0)

    def _plan(self) -> list[RecordAttempt]:
        """The rows of the next round; none when nothing is missing."""
        shown = Counter(request for request, _, _ in self._shown(self._planned))
        missing = {r: n - shown[r] for r, n in self._wanted.items() if n > shown[r]}
        if not missing:
            return []
        left, rows = dict(missing), []
        for _ in range(max(1, sum(missing.values()) // (2 * self._length - 1))):
            request = max(left, key=left.__getitem__)
            left[request] -= 1
            wanted = {task: n for (task, scene), n in missing.items() if scene == request.scene}
            rows.append(RecordAttempt(request, self._planned + len(rows), wanted))
        return rows

    def finished(self, attempt: RecordAttempt, outcome: RecordOutcome) -> None:
        """Raises `UserError` when something keeps failing."""
        self._ended[attempt.index] = outcome
        if outcome.failed is None:
            return
        request = DemoRequest(outcome.failed, outcome.scene)
        failed = self._failures()[request]
        done = sum(shown == request for shown, _, _ in self._shown())
        if failed > FAILURES_ALLOWED + done:
            raise UserError(
                f"the expert failed at {request} in {failed} of {failed + done} attempts: "
                "try less noise, or more steps"
            )

    def _shown(self, rows: int | None = None) -> list[tuple[DemoRequest, int, int]]:
        """What the first rows show: the request, the row, the place in it."""
        return [
            (DemoRequest(task, outcome.scene), index, place)
            for index, outcome in sorted(self._ended.items())
            if rows is None or index < rows
            for place, task in enumerate(outcome.done)
        ]

    def _failures(self) -> Counter[DemoRequest]:
        return Counter(
            DemoRequest(outcome.failed, outcome.scene)
            for outcome in self._ended.values()
            if outcome.failed is not None
        )

    @property
    def successes(self) -> int:
        """How many of those wanted there are."""
        shown = Counter(request for request, _, _ in self._shown())
        return sum(min(n, shown[request]) for request, n in self._wanted.items())

    @property
    def failures(self) -> int:
        return self._failures().total()

    def failures_by_request(self) -> dict[str, int]:
        failures = self._failures()
        return {str(request): failures[request] for request in self._wanted}

    def in_order(self) -> list[tuple[int, int]]:
        """The row and place of all demonstrations wanted: the first of everything, then the second
        of everything, …"""
        found: dict[DemoRequest, list[tuple[int, int]]] = {request: [] for request in self._wanted}
        for request, index, place in self._shown():
            if len(found[request]) < self._wanted[request]:
                found[request].append((index, place))
        return [
            found[request][round_]
            for round_ in range(max(len(places) for places in found.values()))
            for request in self._wanted
            if round_ < len(found[request])
        ]
