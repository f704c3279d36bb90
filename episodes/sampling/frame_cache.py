"""Decoded parts of recordings, kept as long as there is room."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8


@dataclass(frozen=True)
class Decoded:
    """A stretch of a recording from its frame `first` on, ready to cut windows from.

    Pictures are of every camera that a window shows and the recording has; actions may go on past
    the last picture, and so does `intervention`: where a policy was corrected, whether the expert
    acted.
    """

    first: int
    frames: Mapping[str, UInt8[np.ndarray, "t h w 3"]]
    state: Float32[np.ndarray, "s 15"] | None
    actions: Float32[np.ndarray, "a 7"] | None
    intervention: Bool[np.ndarray, " a"] | None = None

    @property
    def size(self) -> int:
        """Bytes in memory."""
        arrays = [*self.frames.values(), self.state, self.actions, self.intervention]
        return sum(array.nbytes for array in arrays if array is not None)


class FrameCache:
    """Stretches by number; those not used for longest make room for others.

    limit: bytes kept, though the newest one always is; None for no limit. What is kept within a
    limit stays in its process, what is kept without one travels with the pool.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self._kept: OrderedDict[int, Decoded] = OrderedDict()
        self.size = 0

    def get(self, number: int, decode: Callable[[int], Decoded]) -> Decoded:
        """The stretch `number`, decoded if it is not here."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        decoded = decode(number)
        self.add(number, decoded)
        return decoded

    def add(self, number: int, decoded: Decoded) -> None:
        for images in decoded.frames.values():
            images.flags.writeable = False  # windows are views of them
        self.size += decoded.size
        while self._kept and self.limit is not None and self.size > self.limit:
            self.size -= self._kept.popitem(last=False)[1].size
        self._kept[number] = decoded

    def __getstate__(self) -> dict[str, Any]:
        bounded = self.limit is not None
        return self.__dict__ | ({"_kept": OrderedDict(), "size": 0} if bounded else {})
