"""What is known of a recording without reading its content."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from firsthand.episodes.episode import Narration
from firsthand.episodes.jpeg import EncodedEpisode


@dataclass(frozen=True)
class SignalSpec:
    """What a signal holds for one frame; `dtype` is spelled as numpy does (`<f4`, `|b1`)."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Header:
    """A recording's name in its file, its texts, and what it holds."""

    name: str
    length: int
    fps: float
    instruction: str
    narrations: tuple[Narration, ...]
    cameras: Mapping[str, tuple[int, int]]  # height, width
    has_state: bool
    has_actions: bool
    has_executed: bool
    source: Mapping[str, Any]
    signals: Mapping[str, SignalSpec] = field(default_factory=dict)  # absent in format version 1

    @property
    def seconds(self) -> float:
        return self.length / self.fps

    @classmethod
    def of(cls, name: str, episode: EncodedEpisode) -> "Header":
        return cls(
            name=name,
            length=len(episode),
            fps=float(episode.fps),
            instruction=episode.instruction,
            narrations=episode.narrations,
            cameras={c: (f.height, f.width) for c, f in sorted(episode.frames.items())},
            has_state=episode.state is not None,
            has_actions=episode.actions is not None,
            has_executed=episode.executed is not None,
            source=dict(episode.source),
            signals={
                name: SignalSpec(values.shape[1:], values.dtype.str)
                for name, values in sorted(episode.signals.items())
            },
        )


def to_json(value: Any) -> str:
    """JSON in one fixed spelling; numpy's scalars and arrays become numbers and lists."""
    return json.dumps(value, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{value!r} cannot be written as JSON")


def headers_to_json(headers: list[Header]) -> bytes:
    return to_json([asdict(header) for header in headers]).encode()


def headers_from_json(data: bytes) -> list[Header]:
    return [
        Header(
            **{
                **fields,
                "narrations": tuple(Narration(**n) for n in fields["narrations"]),
                "cameras": {camera: tuple(size) for camera, size in fields["cameras"].items()},
                "signals": {
                    name: SignalSpec(tuple(spec["shape"]), spec["dtype"])
                    for name, spec in fields.get("signals", {}).items()
                },
            }
        )
        for fields in json.loads(data)
    ]
