"""Which starting layouts an expert tries while demonstrations are recorded."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from firsthand.common.errors import UserError

FAILURES_ALLOWED = 20  # for every task, beyond as many as there are successes


class DemoRequest(NamedTuple):
    """What is to be shown, and on which desk."""

    task: str
    scene: str

    def __str__(self) -> str:
        return f"{self.task} in scene {self.scene}"


@dataclass(frozen=True)
class RecordAttempt:
    """One try of an expert at a task, from the layout of that index."""

    request: DemoRequest
    index: int

    def __str__(self) -> str:
        return f"{self.request}, {self.index}"

    @property
    def name(self) -> str:
        """Of the file that a finished attempt leaves, without its ending."""
        return f"{self.request.task}-{self.request.scene}-{self.index:06d}"


class RecordingSchedule:
    """Which layouts are still to be tried.

    Nothing ever has more attempts under way or done well than it needs episodes. So none is made in
    vain, and those stored are the first that went well, however many workers there are.

    Args:
        wanted: how many episodes of each.
        parts: the folder where finished attempts lie; what is there need not be done again.
    """

    def __init__(self, wanted: Mapping[DemoRequest, int], parts: Path) -> None:
        self._wanted = wanted
        self._done: dict[DemoRequest, dict[int, bool]] = {request: {} for request in wanted}
        self._begun: dict[DemoRequest, set[int]] = defaultdict(set)
        for path in parts.iterdir():
            if path.suffix in (".hdf5", ".failed"):
                *request, index = path.stem.rsplit("-", 2)
                self._done[DemoRequest(*request)][int(index)] = path.suffix == ".hdf5"
                self._begun[DemoRequest(*request)].add(int(index))

    def next_attempt(self) -> RecordAttempt | None:
        """What to try now, or None when enough is under way."""
        open_requests = [
            request
            for request, count in self._wanted.items()
            if len(self._begun[request]) - self._failures(request) < count
        ]
        if not open_requests:
            return None
        request = min(open_requests, key=lambda request: len(self._begun[request]))
        begun = self._begun[request]
        index = next(i for i in range(len(begun) + 1) if i not in begun)
        begun.add(index)
        return RecordAttempt(request, index)

    def finished(self, attempt: RecordAttempt, success: bool) -> None:
        """Raises `UserError` when something keeps failing."""
        self._done[attempt.request][attempt.index] = success
        failed, made = self._failures(attempt.request), len(self._done[attempt.request])
        if failed > FAILURES_ALLOWED + made - failed:
            raise UserError(
                f"the expert failed at {attempt.request} in {failed} of {made} attempts: "
                "try less noise, or more steps"
            )

    def _failures(self, request: DemoRequest) -> int:
        return sum(not success for success in self._done[request].values())

    @property
    def successes(self) -> int:
        return sum(sum(done.values()) for done in self._done.values())

    @property
    def failures(self) -> int:
        return sum(self._failures(request) for request in self._done)

    def failures_by_request(self) -> dict[str, int]:
        return {str(request): self._failures(request) for request in self._wanted}

    def in_order(self) -> list[RecordAttempt]:
        """The successful attempts: the first of everything, then the second of everything, …"""
        kept = {
            request: sorted(index for index, success in done.items() if success)
            for request, done in self._done.items()
        }
        return [
            RecordAttempt(request, kept[request][round_])
            for round_ in range(max(len(indices) for indices in kept.values()))
            for request in self._wanted
            if round_ < len(kept[request])
        ]
