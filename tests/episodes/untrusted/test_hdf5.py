"""HDF5 files of others stay within themselves and within bounds."""

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.episodes.untrusted import hdf5
from firsthand.episodes.untrusted.hdf5 import load_dataset, open_hdf5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.arange(5)
    np.arange(10, dtype=np.uint8).tofile(tmp_path / "raw.bin")
    return tmp_path / "foreign.h5"


def test_ordinary_datasets_are_read(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["data/demo_0/actions"] = np.ones((5, 7))
        file["scalar"] = 3.0
        file["none"] = np.zeros((0, 7))
        file["names"] = np.array([b"demo_0"])
        file.create_dataset("packed", data=np.zeros((9, 9)), compression="lzf", shuffle=True)
        file["soft"] = h5py.SoftLink("/data/demo_0/actions")
    with open_hdf5(path) as file:
        assert load_dataset(file["data/demo_0"], "actions").shape == (5, 7)
        assert load_dataset(file, "scalar") == 3.0
        assert load_dataset(file, "none").shape == (0, 7)
        assert load_dataset(file, "names").tolist() == [b"demo_0"]
        assert load_dataset(file, "packed").sum() == 0
        assert load_dataset(file, "soft").sum() == 35


def external_link(file: h5py.File, folder: Path) -> None:
    file["x"] = h5py.ExternalLink("other.h5", "/x")


def hidden_external_link(file: h5py.File, folder: Path) -> None:
    file["a/b/c"] = h5py.ExternalLink(str(folder / "other.h5"), "/x")
    file["x"] = h5py.SoftLink("/a/b/c")


def external_storage(file: h5py.File, folder: Path) -> None:
    file.create_dataset("x", (10,), "u1", external=[(str(folder / "raw.bin"), 0, 10)])


def virtual(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout((5,), "i8")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "x", shape=(5,))
    file.create_virtual_dataset("x", layout)


def absurd(file: h5py.File, folder: Path) -> None:
    file.create_dataset("x", (10**12,), "f8", chunks=(1000,))


def absurd_chunk(file: h5py.File, folder: Path) -> None:
    file.create_dataset("x", (1,), "u1", chunks=(2**31,), maxshape=(None,))


def never_written(file: h5py.File, folder: Path) -> None:
    file.create_dataset("x", (1000,), "f8")


def plugin(file: h5py.File, folder: Path) -> None:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((10,))
    properties.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (1, 2))
    space = h5py.h5s.create_simple((10,))
    h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_INT32, space, properties)


def objects(file: h5py.File, folder: Path) -> None:
    file["x"] = ["variable", "length"]


def references(file: h5py.File, folder: Path) -> None:
    file.create_dataset("x", data=file.ref, dtype=h5py.ref_dtype)


def records(file: h5py.File, folder: Path) -> None:
    file["x"] = np.zeros(3, [("a", "f8")])


def empty_space(file: h5py.File, folder: Path) -> None:
    file["x"] = h5py.Empty("f8")


def group(file: h5py.File, folder: Path) -> None:
    file.create_group("x")


def dangling(file: h5py.File, folder: Path) -> None:
    file["x"] = h5py.SoftLink("/nowhere")


def circle(file: h5py.File, folder: Path) -> None:
    file["x"] = h5py.SoftLink("/x")


def missing(file: h5py.File, folder: Path) -> None:
    pass


REASONS = {
    external_link: "link to another file",
    hidden_external_link: "link to another file",
    external_storage: "lies in other files",
    virtual: "lies in other files",
    absurd: "is more than",
    absurd_chunk: "is more than",
    never_written: "never written",
    plugin: "packed by filter 32001",
    objects: "neither numbers nor plain texts",
    references: "neither numbers nor plain texts",
    records: "neither numbers nor plain texts",
    empty_space: "neither numbers nor plain texts",
    group: "holds no dataset 'x'",
    dangling: "holds no dataset 'x'",
    circle: "too many links",
    missing: "holds no dataset 'x'",
}


@pytest.mark.parametrize("make", REASONS, ids=lambda make: make.__name__)
def test_what_is_refused_says_why(path: Path, make) -> None:
    with h5py.File(path, "w") as file:
        make(file, path.parent)
    with pytest.raises(UserError, match=REASONS[make]) as error, open_hdf5(path) as file:
        load_dataset(file, "x", max_bytes=1 << 30)
    assert str(error.value).startswith(str(path))


def test_what_is_no_hdf5_file_says_so(tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"hello", b"\x89HDF\r\n\x1a\n" + bytes(99))):
        path = tmp_path / f"{number}.h5"
        path.write_bytes(content)
        with pytest.raises(UserError, match="no readable HDF5 file"), open_hdf5(path):
            pass


def test_a_file_on_which_hdf5_stalls_is_refused(tmp_path: Path, monkeypatch) -> None:
    """A heap of texts whose free space seems to end early is searched for ever (HDF5 2.0)."""
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.attrs["text"] = "found by its number in a heap"
    content = bytearray(path.read_bytes())
    place = content.index(b"GCOL") + 16
    while content[place]:  # the number of an object; free space has 0
        (size,) = struct.unpack_from("<Q", content, place + 8)
        place += 16 + -(-size // 8) * 8
    (free,) = struct.unpack_from("<Q", content, place + 8)
    struct.pack_into("<Q", content, place + 8, free - 104)
    path.write_bytes(content)
    monkeypatch.setattr(hdf5, "PROBE_SECONDS", 2)
    with pytest.raises(UserError, match="stalls or crashes"), open_hdf5(path):
        pass
