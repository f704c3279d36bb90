"""Plain data comes out of pickles; nothing else does, and nothing runs."""

import contextlib
import os
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from firsthand.common.errors import UserError
from firsthand.episodes.untrusted.unpickler import unpickle

numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.booleans()
arrays = hnp.arrays(
    hnp.integer_dtypes(endianness="?") | hnp.floating_dtypes(endianness="?") | hnp.boolean_dtypes(),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0),
)
plain = st.recursive(
    st.none() | numbers | st.text() | st.binary() | arrays,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(-9, 9), inner)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@given(plain, st.sampled_from([2, 3, 4]))
def test_plain_data_comes_back(value: Any, protocol: int) -> None:
    assert same(unpickle(pickle.dumps(value, protocol)), value)


@given(st.lists(st.none() | numbers | st.text()), st.sampled_from([0, 1]))
def test_old_protocols_are_read(value: Any, protocol: int) -> None:
    assert same(unpickle(pickle.dumps(value, protocol)), value)


def test_arrays_of_objects_and_numpy_scalars() -> None:
    inner = np.array([[1, "a"], [None, {"b": np.arange(3)}]], object)
    read = unpickle(pickle.dumps({"x": inner, "y": (np.int64(3), np.float32(0.5))}))
    assert read["y"] == (3, 0.5)
    assert read["x"].shape == (2, 2)
    assert read["x"][0, 1] == "a"
    np.testing.assert_array_equal(read["x"][1, 1]["b"], np.arange(3))


def test_names_before_numpy_2() -> None:
    data = pickle.dumps(np.arange(4), protocol=3)
    old = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert old != data
    np.testing.assert_array_equal(unpickle(old), np.arange(4))


def test_a_far_place_in_the_memo_costs_nothing() -> None:
    """CPython's unpickler would make room for two thousand million values."""
    assert unpickle(b"Nr\xff\xff\xff\x7f.") is None


class _Runs:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_nothing_runs(tmp_path: Path, protocol: int) -> None:
    canary = tmp_path / "canary"
    for call in (_Runs(os.system, f"touch {canary}"), _Runs(eval, f"open({str(canary)!r}, 'w')")):
        for value in (call, [call], {"a": (call,)}, np.array({"a": call}, object)):
            data = pickle.dumps(value, protocol)
            with pytest.raises(UserError, match="not read"):
                unpickle(data)
            with pytest.raises(UserError, match="not read"):
                unpickle(pickle.dumps(_Runs(pickle.loads, data), protocol))
    assert not canary.exists()


def _array(shape: bytes, dtype: bytes, data: bytes) -> bytes:
    """A pickled array with whatever is claimed about it, in protocol 3."""
    start = b"\x80\x03cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n(I0\ntC\x01b\x87R"
    kind = (
        b"cnumpy\ndtype\n(V" + dtype + b"\ntR(I3\nV<\nNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffI0\ntb"
    )
    return start + b"(I1\n(" + shape + b"t" + kind + b"I00\n" + data + b"tb."


def test_the_hand_made_array_is_one() -> None:
    np.testing.assert_array_equal(unpickle(_array(b"I2\n", b"i2", b"C\x04\1\0\2\0")), [1, 2])


LAUGHS = b"]q\x00" + b"".join(b"(h%ch%cl" % (i, i) + b"q%c" % (i + 1) for i in range(28)) + b"."
HOSTILE = {
    "empty": b"",
    "no stop": b"\x80\x04]",
    "cut": pickle.dumps(list(range(100)))[:-20],
    "stack underflow": b"\x80\x04a.",
    "mark underflow": b"\x80\x04e.",
    "through a mark": b"](K\x01a.",
    "two values": b"NN.",
    "unknown opcode": b"\xff.",
    "never put": b"h\x05.",
    "huge bytes": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "huge text": b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "huge frame": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.!",
    "huge whole number": b"\x8b\x00\x00\x10\x00" + b"\x01" * (1 << 20) + b".",
    "digits": b"I" + b"9" * 100_000 + b"\n.",
    "persistent": b"Pabc\n.",
    "binary persistent": b"NQ.",
    "extension": b"\x82\x01.",
    "instance": b"(ios\nsystem\n.",
    "new object": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "bare class": b"cnumpy\nndarray\n.",
    "bare dtype": b"cnumpy\ndtype\n(Vf8\ntR.",
    "the class called": b"cnumpy\nndarray\n(I9\ntR.",
    "no state": _array(b"", b"f8", b"C\x00").split(b"R")[0] + b"R.",
    "call of no function": b"N)R.",
    "state of a list": b"]Nb.",
    "name of no text": b"\x80\x04]]\x93.",
    "other numpy function": b"cnumpy\nload\n(Vx\ntR.",
    "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0cdtype.__new__\x93.",
    "itself": b"]q\x00h\x00a.",
    "itself as a tuple": b"](q\x00h\x00th\x00.",
    "deep": b"(" * 2000 + b"t" * 2000 + b".",
    "billion laughs": LAUGHS,
    "laughs as a shape": LAUGHS[:-1] + _array(b"h\x1c", b"i2", b"C\x04\1\0\2\0"),
    "table key of a tuple": b"}))s.",
    "table names twice": b"}K\x01NsK\x01Ns.",
    "odd pairs": b"}(NNNu.",
    "absurd shape": _array(b"I100000000000\n", b"f8", b"C\x00"),
    "negative shape": _array(b"I-1\n", b"f8", b"C\x00"),
    "too few bytes": _array(b"I3\n", b"f8", b"C\x08\0\0\0\0\0\0\0\0"),
    "shape of texts": _array(b"Vx\n", b"f8", b"C\x00"),
    "records": _array(b"I0\n", b"V8", b"C\x00"),
    "dtype of commas": _array(b"I0\n", b"f8,f8", b"C\x00"),
    "objects that are bytes": _array(b"I1\n", b"O8", b"C\x08\0\0\0\0\0\0\0\0"),
    "too few objects": _array(b"I9\n", b"O8", b"(Nl"),
    "absurd objects": _array(b"I100000000000\n", b"O8", b"(Nl"),
    "numbers that are objects": _array(b"I1\n", b"f8", b"(Nl"),
    "many instructions": b"N" * 3_000_000 + b".",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_pickles_end_in_an_error(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UserError):
            unpickle(data)
        assert tracemalloc.get_traced_memory()[1] < 300e6
    finally:
        tracemalloc.stop()


@given(st.binary())
def test_noise_ends_in_an_error_or_a_value(data: bytes) -> None:
    with contextlib.suppress(UserError):
        unpickle(data)


@given(st.data())
def test_damaged_pickles_end_in_an_error_or_a_value(data) -> None:
    whole = bytearray(pickle.dumps({"a": [(np.int64(1), 2.0)], "e": np.ones((2, 3))}, protocol=4))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UserError):
        unpickle(bytes(whole))
