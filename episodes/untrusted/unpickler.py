"""Numbers and texts out of pickles, without pickle.

numpy saves arrays of objects (CALVIN's `auto_lang_ann.npy`) as pickles: programs for a small stack
machine that may call anything. `unpickle` runs the harmless part of that language itself. It knows
what plain data and numpy's arrays are made of, by name, and builds the arrays from their bytes; no
class is looked up, nothing is imported, and `pickle` and numpy's own restoring code, which can be
made to ask for any amount of memory, never see the file.

`policy.checkpoints.torch_files` reads torch's weights, a different list of names on top of torch's
storages. The two share no code: the policy's package does not know this one, nor this one torch.

The language: CPython's `Lib/pickletools.py`, which is also what takes it apart here.
"""

import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from firsthand.common.errors import UserError

_MAX_DEPTH = 32  # of containers in containers
_MAX_ITEMS = 3_000_000  # counted wherever they appear: lists of lists of the same list unfold
_MAX_WHOLE = 1 << 64  # larger numbers could be chosen to collide as keys
_PUSHED = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
     "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
     "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
)  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_SMALL_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_DTYPE = re.compile(r"b1|[iu][1248]|f[248]|f16|[SU][1-9]\d{0,5}|O[48]?")
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")  # before and from numpy 2


@dataclass(frozen=True)
class _Name:
    """A class or function that the pickle mentions."""

    full: str


@dataclass
class _Dtype:
    """numpy.dtype, while its byte order is still to come."""

    code: str
    order: str = "="

    @property
    def value(self) -> np.dtype:
        return np.dtype(self.order + self.code)


@dataclass
class _Array:
    """numpy.ndarray: a numeric array, or the shape and the items of an array of objects."""

    shape: tuple[int, ...] = ()
    content: "np.ndarray | list | None" = None


def unpickle(data: bytes) -> Any:
    """What a pickle holds: dict, list, tuple, text, bytes, numbers, None and numpy arrays of these.

    Raises:
        UserError: the pickle is damaged or asks for anything else, by name.
    """
    try:
        return _Unfolding().plain(_Machine().run(data), 0)
    except UserError:
        raise
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        MemoryError,
    ) as error:
        raise UserError(f"its pickle is damaged: {error!s:.200}") from None


class _Machine:
    """pickle's stack machine, without the instructions that make objects of classes."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        last_position = -1
        for count, (opcode, argument, position) in enumerate(pickletools.genops(data)):
            if count > _MAX_ITEMS:
                raise UserError(f"its pickle holds more than {_MAX_ITEMS:,} instructions")
            last_position, name = position or 0, opcode.name
            if name in _PUSHED:
                if isinstance(argument, int) and abs(argument) >= _MAX_WHOLE:
                    raise UserError("its pickle holds a number of more than 64 bits")
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _SMALL_TUPLES:
                self.stack.append(tuple(self._take(_SMALL_TUPLES[name])))
            else:
                self._step(name, argument)
        if self.marks or last_position != len(data) - 1:
            raise ValueError("it ends too early or too late")
        (value,) = self.stack
        return value

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "MARK":
                self.marks.append(len(stack))
            case "POP":
                self._take(1)
            case "POP_MARK":
                self._take_marked()
            case "TUPLE":
                stack.append(tuple(self._take_marked()))
            case "EMPTY_LIST":
                stack.append([])
            case "LIST":
                stack.append(self._take_marked())
            case "APPEND":
                self._extend(self._take(1))
            case "APPENDS":
                self._extend(self._take_marked())
            case "EMPTY_DICT":
                stack.append({})
            case "DICT":
                stack.append(_pairs(self._take_marked()))
            case "SETITEM":
                self._update(self._take(2))
            case "SETITEMS":
                self._update(self._take_marked())
            case "GLOBAL":
                stack.append(_known(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                stack.append(_known(*self._take(2)))
            case "REDUCE":
                stack.append(_call(*self._take(2)))
            case "BUILD":
                _set_state(stack[-2], *self._take(1))
            case "PROTO" | "FRAME" | "STOP":
                pass
            case _:
                raise UserError(f"its pickle uses {name}, which is not read for safety")

    def _take(self, count: int) -> list[Any]:
        start = len(self.stack) - count
        if start < (self.marks[-1] if self.marks else 0):
            raise ValueError("an instruction finds nothing to work on")
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _take_marked(self) -> list[Any]:
        return self._take(len(self.stack) - self.marks.pop())

    def _extend(self, items: list[Any]) -> None:
        self._top(list).extend(items)

    def _update(self, items: list[Any]) -> None:
        table, pairs = self._top(dict), _pairs(items)
        if any(key in table for key in pairs):
            raise UserError("its pickle holds a table that names something twice")
        table.update(pairs)

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"something is put into what is no {kind.__name__}")
        return self.stack[-1]


def _pairs(items: list[Any]) -> dict[Any, Any]:
    keys = items[::2]
    for key in keys:
        if not isinstance(key, str | int):
            raise UserError(f"its pickle holds a table with a {type(key).__name__} as a key")
    pairs = dict(zip(keys, items[1::2], strict=True))
    if len(pairs) < len(keys):
        raise UserError("its pickle holds a table that names something twice")
    return pairs


def _call(function: Any, arguments: Any) -> Any:
    if not isinstance(function, _Name) or not isinstance(arguments, tuple):
        raise ValueError("something is called that is no function")
    return _CALLS[function.full](*arguments)


def _set_state(target: Any, state: Any) -> None:
    if isinstance(target, _Array):
        _fill(target, *state)
    elif isinstance(target, _Dtype):
        _, order, *structure = state
        if structure[:3] != [None, None, None] or order not in ("<", ">", "|", "="):
            raise UserError("its pickle holds an array of records, which is not read")
        target.order = order
    else:
        raise ValueError(f"a state is given to a {type(target).__name__}")


def _known(module: Any, name: Any) -> _Name:
    if not isinstance(module, str) or not isinstance(name, str):
        raise ValueError("a name is no text")
    full = f"{module}.{name}"
    if full not in _CALLS and full != "numpy.ndarray":
        raise UserError(f"its pickle asks for {full:.200}, which is not read for safety")
    return _Name(full)


def _dtype(code: str, align: bool = False, copy: bool = False) -> _Dtype:
    if not isinstance(code, str) or not _DTYPE.fullmatch(code):
        raise UserError("its pickle holds an array of neither numbers nor texts")
    return _Dtype(code)


def _scalar(dtype: _Dtype, data: bytes) -> Any:
    (value,) = np.frombuffer(data, dtype.value)
    return value.item()


def _reconstruct(kind: _Name, shape: tuple, code: bytes) -> _Array:
    """An empty array, whatever shape is claimed; what is in it comes with its state."""
    if kind.full != "numpy.ndarray":
        raise ValueError(f"an array is made of {kind.full}")
    return _Array()


def _encode(text: str, encoding: str) -> bytes:
    """How Python 3 wrote bytes for Python 2 (numpy before 1.17)."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError("bytes are not spelt in latin1")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How it wrote none."""
    return b""


_CALLS: dict[str, Callable[..., Any]] = {
    "numpy.dtype": _dtype,
    "_codecs.encode": _encode,
    "__builtin__.bytes": _no_bytes,
    **{f"{module}._reconstruct": _reconstruct for module in _MULTIARRAY},
    **{f"{module}.scalar": _scalar for module in _MULTIARRAY},
}


def _fill(
    array: _Array, _: int, shape: tuple, dtype: _Dtype, columns_first: bool, data: bytes | list
) -> None:
    """What numpy's `__setstate__` does, with every size checked against the bytes there are."""
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError("the shape of an array is not made of whole numbers")
    array.shape = shape
    if dtype.value.hasobject:
        if not isinstance(data, list) or columns_first:
            raise ValueError("an array of objects holds no list of objects in order")
        array.content = data
    else:
        if not isinstance(data, bytes):
            raise ValueError("an array holds no bytes")
        flat = np.frombuffer(data, dtype.value)
        array.content = flat.reshape(shape, order="F" if columns_first else "C")


class _Unfolding:
    """Copies what the machine has built, arrays in the place of their stand-ins."""

    def __init__(self) -> None:
        self.items = 0

    def plain(self, value: Any, depth: int) -> Any:
        self.items += 1
        if depth > _MAX_DEPTH or self.items > _MAX_ITEMS:
            raise UserError(
                f"its pickle holds more than {_MAX_ITEMS:,} items, or is nested more than "
                f"{_MAX_DEPTH} deep"
            )
        if isinstance(value, list):
            return [self.plain(item, depth + 1) for item in value]
        if isinstance(value, tuple):
            return tuple(self.plain(item, depth + 1) for item in value)
        if isinstance(value, dict):
            return {key: self.plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, _Array):
            return self._array(value, depth)
        if isinstance(value, _Name | _Dtype):
            raise ValueError(f"it holds a bare {type(value).__name__.strip('_').lower()}")
        return value

    def _array(self, array: _Array, depth: int) -> np.ndarray:
        if isinstance(array.content, np.ndarray):
            return array.content
        if array.content is None or np.prod(array.shape, dtype=object) != len(array.content):
            raise ValueError("an array of objects does not hold as many as its shape says")
        flat = np.empty(len(array.content), object)
        for index, item in enumerate(array.content):
            flat[index] = self.plain(item, depth + 1)
        return flat.reshape(array.shape)
