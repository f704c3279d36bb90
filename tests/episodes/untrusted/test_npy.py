"""numpy's files of others: equal to what numpy reads where they are sound, refused where not."""

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from firsthand.common.errors import UserError
from firsthand.episodes.untrusted.npy import load_npy, parse_npy
from firsthand.episodes.untrusted.npz import load_npz

dtypes = hnp.scalar_dtypes().filter(lambda dtype: dtype.kind in "biufSU" and dtype.itemsize)


def npy(array: Any, version: tuple[int, int] | None = None) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array), version)
    return stream.getvalue()


@given(hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, min_side=0, max_side=4)), st.booleans())
def test_arrays_come_back(array: np.ndarray, columns_first: bool) -> None:
    array = np.asarray(array, order="F" if columns_first else "C")
    for version in ((1, 0), (2, 0), (3, 0)):
        read = parse_npy(npy(array, version))
        assert read.dtype == array.dtype
        assert read.shape == array.shape
        assert read.tobytes() == array.tobytes()


def test_annotations_of_calvin_come_back(tmp_path: Path) -> None:
    """A 0-d array of a dict, as `automatic_lang_annotator_mp.py` saves it."""
    said = {
        "language": {"ann": ["lift it"], "task": ["lift"], "emb": np.ones((1, 1, 384), "f4")},
        "info": {"episodes": [], "indx": [(np.int64(5), 69)]},
    }
    np.save(tmp_path / "auto_lang_ann.npy", np.array(said, object))
    read = load_npy(tmp_path / "auto_lang_ann.npy", objects=True).item()
    assert read["language"]["ann"] == ["lift it"]
    assert read["info"]["indx"] == [(5, 69)]
    np.testing.assert_array_equal(read["language"]["emb"], said["language"]["emb"])
    with pytest.raises(UserError, match="Python objects"):
        load_npy(tmp_path / "auto_lang_ann.npy")


def header(text: str, body: bytes = b"", version: bytes = b"\1\0") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text.encode() + body


def described(descr: str = "'<f8'", shape: str = "(2,)", body: bytes = bytes(16)) -> bytes:
    return header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}", body)


class _Runs:
    def __reduce__(self) -> Any:
        return os.system, ("touch canary",)


BAD_NPY = {
    "empty": (b"", "no .npy"),
    "text": (b"hello, this is no array", "no .npy"),
    "a bare pickle": (pickle.dumps([1]), "no .npy"),
    "version": (b"\x93NUMPY\4\0" + bytes(99), "no .npy"),
    "cut in the magic": (npy(np.ones(3))[:7], "no .npy"),
    "cut in the length": (npy(np.ones(3))[:9], "no header"),
    "cut in the header": (npy(np.ones(3))[:40], "no header"),
    "cut in the content": (npy(np.ones(3))[:-1], "24 bytes of float64"),
    "content too long": (npy(np.ones(3)) + b"\0", "25 are there"),
    "huge header": (b"\x93NUMPY\2\0" + b"\xff" * 99, "no header of 4,294,967,295"),
    "no Python": (header("{'descr': "), "cannot be read"),
    "a call": (header("__import__('os').system('touch canary')"), "cannot be read"),
    "deep": (header("(" * 9000), "cannot be read"),
    "deep signs": (header("-" * 9000 + "1"), "cannot be read"),
    "a list": (header("[1]"), "cannot be read"),
    "no shape": (header("{'descr': '<f8', 'fortran_order': False}"), "cannot be read"),
    "more keys": (header("{'descr':'<f8','fortran_order':False,'shape':(),'x':1}"), "too much"),
    "order of 2": (header("{'descr':'<f8','fortran_order':2,'shape':()}"), "too much"),
    "no such type": (described("'<q9'"), "cannot be read"),
    "huge type": (described("'S99999999999'"), "cannot be read"),
    "empty type": (described("'S0'", "(1000000000000,)", b""), "neither numbers"),
    "records": (described("[('a','<f8')]"), "neither numbers"),
    "dates": (described("'<M8[s]'"), "neither numbers"),
    "absurd shape": (described(shape="(100000000000, 1000)"), "16 are there"),
    "beyond 64 bits": (described(shape="(2**70,)"), "cannot be read"),
    "beyond 64 bits again": (described(shape="(9" + "9" * 30 + ",)"), "impossible"),
    "negative": (described(shape="(-2,)"), "impossible"),
    "dimensions": (described(shape=str((1,) * 64), body=bytes(8)), "impossible"),
    "a number as shape": (described(shape="2"), "too much"),
    "truth as shape": (described(shape="(True, 2)"), "impossible"),
    "objects of another shape": (
        npy(np.array([{}, None])).replace(b"(2,)", b"(3,)"),
        "something else",
    ),
    "runs": (npy(np.array(_Runs(), object)), "not read for safety"),
    "runs bare": (described("'|O'", "()", pickle.dumps(_Runs())), "not read for safety"),
}


@pytest.mark.parametrize(("data", "reason"), BAD_NPY.values(), ids=BAD_NPY)
def test_bad_files_say_why(tmp_path: Path, monkeypatch, data: bytes, reason: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.npy"
    path.write_bytes(data)
    with pytest.raises(UserError, match=reason) as error:
        load_npy(path, objects=True)
    assert str(error.value).startswith(str(path))
    assert not (tmp_path / "canary").exists()


def zipped(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return stream.getvalue()


def test_only_what_is_asked_for_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    for save in (np.savez, np.savez_compressed):
        save(path, a=np.arange(3), b=np.zeros((2, 2)), c=np.array({}))
        read = load_npz(path, ["b", "a"])
        assert list(read) == ["b", "a"]
        np.testing.assert_array_equal(read["a"], np.arange(3))
        with pytest.raises(UserError, match="'c' holds Python objects"):
            load_npz(path)
        with pytest.raises(UserError, match="lacks 'd'; it holds a, b, c"):
            load_npz(path, ["d"])


def patched(data: bytes, at_end: int, value: bytes) -> bytes:
    return data[: len(data) - at_end] + value + data[len(data) - at_end + len(value) :]


ONE = npy(np.arange(100))
SOUND = zipped(**{"a.npy": ONE})
CENTRAL = SOUND.rindex(b"PK\1\2")
BOMB = zipped(**{"a.npy": npy(np.zeros(4_000_000))})
BAD_NPZ = {
    "empty": (b"", "missing"),
    "text": (b"hello, this is no archive at all, not even a little", "missing"),
    "cut": (SOUND[:-30], "missing"),
    "cut inside": (SOUND[:60] + SOUND[80:], "x.npz"),
    "a comment": (SOUND[:-2] + b"\1\0x", "missing"),
    "bomb": (BOMB, "that claim to be 32,000,128"),
    "up": (zipped(**{"..__a.npy": ONE}), "names no array"),
    "absolute": (zipped(**{"__a.npy": ONE}), "names no array"),
    "folder": (zipped(**{"b__a.npy": ONE}), "names no array"),
    "backslash": (zipped(**{"..\\a.npy": ONE}), "names no array"),
    "another file": (zipped(**{"a.txt": ONE}), "names no array"),
    "no name": (zipped(**{".npy": ONE}), "names no array"),
    "lzma": (zipped(zipfile.ZIP_LZMA, **{"a.npy": ONE}), "in a way that numpy does not"),
    "bzip2": (zipped(zipfile.ZIP_BZIP2, **{"a.npy": ONE}), "in a way that numpy does not"),
    "many": (zipped(**{f"a{i}.npy": b"" for i in range(300)}), "300 members"),
    "many more": (zipped(**{f"a{i}.npy": b"" for i in range(5000)}), "list of members larger"),
    "bad array": (zipped(**{"a.npy": ONE[:-1]}), "'a' claims 800 bytes"),
    "checksum": (SOUND[: CENTRAL + 16] + b"\0\0\0\0" + SOUND[CENTRAL + 20 :], "CRC"),
    "claims less": (SOUND[: CENTRAL + 24] + struct.pack("<I", 99) + SOUND[CENTRAL + 28 :], "x.npz"),
    "claims more": (SOUND[: CENTRAL + 24] + struct.pack("<I", 9999) + SOUND[CENTRAL + 28 :], "99"),
    "encrypted": (SOUND[: CENTRAL + 8] + b"\1" + SOUND[CENTRAL + 9 :], "in a way that numpy"),
    "place of the member": (
        SOUND[: CENTRAL + 42] + b"\xff\xff\xff\x7f" + SOUND[CENTRAL + 46 :],
        "x.npz",
    ),
    "place of the list": (patched(SOUND, 6, b"\xff\xff\xff\x7f"), "x.npz"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("data", "reason"), BAD_NPZ.values(), ids=BAD_NPZ)
def test_bad_archives_say_why(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(data)
    with pytest.raises(UserError, match=reason) as error:
        load_npz(path)
    assert str(error.value).startswith(str(path))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_for_two_members(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", ONE)
        archive.writestr("a.npy", ONE)
    with pytest.raises(UserError, match="'a' twice"):
        load_npz(tmp_path / "x.npz", ["a"])


def test_members_together_have_a_size(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros(100), b=np.zeros(100))
    with pytest.raises(UserError, match="bytes, more than"):
        load_npz(tmp_path / "x.npz", ["a"], max_bytes=1000)


@example([(len(SOUND) - 10, 0)])  # the length of the list of members
@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), max_size=4))
def test_flipped_bytes_never_read_as_other_numbers(tmp_path_factory, flips) -> None:
    data = bytearray(SOUND)
    for place, value in flips:
        data[place] = value
    path = tmp_path_factory.getbasetemp() / "flipped.npz"
    path.write_bytes(data)
    try:
        (array,) = load_npz(path).values()
    except UserError:
        return
    np.testing.assert_array_equal(array, np.arange(100))
