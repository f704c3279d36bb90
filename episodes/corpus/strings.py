"""Very many texts in two arrays, as Arrow keeps them: UTF-8 bytes, and where each text ends."""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from jaxtyping import Int64, UInt8

_ERRORS = "surrogatepass"  # names of files need not be text


class StringTable(Sequence[str]):
    """Texts that are decoded when they are asked for, so that the arrays may be memory-mapped."""

    def __init__(self, data: UInt8[np.ndarray, "bytes"], ends: Int64[np.ndarray, "n"]) -> None:
        self.data, self.ends = data, ends

    @classmethod
    def of(cls, texts: Sequence[str]) -> "StringTable":
        encoded = [text.encode(errors=_ERRORS) for text in texts]
        ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"text {index} of {len(self)}")
        index %= len(self)
        start = int(self.ends[index - 1]) if index else 0
        return self.data[start : int(self.ends[index])].tobytes().decode(errors=_ERRORS)

    def __iter__(self) -> Iterator[str]:
        return (self[index] for index in range(len(self)))


class StringInterner:
    """Numbers for texts, in the order in which they first came."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    @property
    def texts(self) -> list[str]:
        return list(self._numbers)
