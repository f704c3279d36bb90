"""Bars for training that goes on in other processes, moved by the files that it writes."""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from firsthand.common.progress import progress


@contextlib.contextmanager
def follow_logs(logs: Mapping[str, Path], steps: int) -> Iterator[None]:
    """A bar for each run of so many steps, by the name that it shall have; `logs` are their
    metrics files, which need not be there yet. Those with checkpoints beside them go on there."""
    finished = threading.Event()
    with progress() as begin:
        bars = {name: begin(name, steps, last_checkpoint(path)) for name, path in logs.items()}

        def follow() -> None:
            ended = False
            while not ended:
                ended = finished.wait(1.0)
                for name, path in logs.items():
                    bars[name].reach(last_step(path))

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            finished.set()
            thread.join()


def last_step(metrics: Path) -> int:
    """The step of the last whole line of a metrics file; 0 if there is none yet."""
    lines = metrics.read_bytes().split(b"\n")[:-1] if metrics.exists() else []
    return int(json.loads(lines[-1])["step"]) if lines else 0


def last_checkpoint(metrics: Path) -> int:
    """The step of the last checkpoint beside a metrics file; 0 if there is none."""
    name = (metrics.with_name("checkpoints") / "last").resolve().name
    return int(name) if name.isdigit() else 0
