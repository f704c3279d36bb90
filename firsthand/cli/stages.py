"""The stages of a long command: how long each took, and how long the rest will roughly take."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from firsthand.cli.console import say
from firsthand.common.atomic import write_text

LEARNING = ("pretraining", "fine-tuning")  # a machine may be quick at this and slow at the others


class Stages:
    """Opens one stage after the other, and says before each how long the rest will take.

    What it says is for the reader: nothing depends on it. It is worked out from what the stages
    usually take, and how much longer those took that this machine has done.

    path: keeps what each stage took, of all starts together, and whether it is done
    usual: seconds of every stage on some machine, in their order
    """

    def __init__(self, path: Path, usual: Mapping[str, float]) -> None:
        self._path, self._usual = path, usual
        kept = json.loads(path.read_text()) if path.exists() else {}
        self.seconds: dict[str, float] = kept.get("seconds", {})
        self._done: list[str] = kept.get("done", [])

    @contextlib.contextmanager
    def __call__(self, title: str) -> Iterator[None]:
        """A stage, named by what stands before the colon."""
        name = title.partition(":")[0]
        number = f"[{list(self._usual).index(name) + 1}/{len(self._usual)}]"
        spent = sum(self.seconds.values())
        say(f"{number} {title} ({spent / 60:.1f} minutes so far, {self._outlook()})")
        before, begun = self.seconds.get(name, 0.0), time.monotonic()
        try:
            yield
            self._done = [*dict.fromkeys([*self._done, name])]
        finally:
            self.seconds[name] = before + time.monotonic() - begun
            kept = {"seconds": self.seconds, "done": self._done}
            write_text(self._path, json.dumps(kept, indent=1) + "\n")

    def left(self) -> float:
        """Seconds that the stages which are not done will take, roughly."""
        waiting = [name for name in self._usual if name not in self._done]
        return sum(
            max(0.0, self._usual[name] * self._slowness(name) - self.seconds.get(name, 0.0))
            for name in waiting
        )

    def _slowness(self, name: str) -> float:
        """How many times as long as usual this machine took for what is done, of this kind if
        there is any."""
        kind = [done for done in self._done if (done in LEARNING) == (name in LEARNING)]
        measured = kind or self._done
        usual = sum(self._usual[done] for done in measured)
        return sum(self.seconds[done] for done in measured) / usual if usual else 1.0

    def _outlook(self) -> str:
        minutes = self.left() / 60
        if not self._done:
            return f"some {minutes:.0f} to go on a machine like ours"
        return f"about {minutes:.0f} to go" if minutes >= 1 else "less than one to go"
