"""Files by path or URL: the same few operations, whole files only."""

import os
from pathlib import Path

import pytest

from firsthand.common import uri as place
from firsthand.common.errors import OutputError, UserError


@pytest.fixture(params=["path", "file", "memory", "local"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return {
        "path": str(tmp_path / "there"),
        "file": f"file://{tmp_path}/there",
        "local": f"local://{tmp_path}/there",  # through fsspec, as URLs are
        "memory": f"memory://{tmp_path}/there",
    }[request.param]


def test_files_come_and_go(folder: str) -> None:
    one, two = place.join(folder, "one"), place.join(folder, "below", "two")
    assert place.sizes(folder) == {}
    assert place.read(one) is None
    place.write(one, b"first")
    place.write(one, b"other")
    place.write(two, b"deeper")
    assert place.sizes(folder) == {"one": 5}
    assert place.size(one) == 5
    assert place.sizes(place.join(folder, "below")) == {"two": 6}
    assert place.read(one) == b"other"
    place.remove(one)
    place.remove(one)
    assert place.size(one) is None
    assert place.read(one) is None


@pytest.mark.parametrize("protocol", ["memory", "local"])
def test_files_are_uploaded(protocol: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    url = f"{protocol}://{tmp_path}/up/loaded"
    place.upload(tmp_path / "file", url)
    assert place.read(url) == b"content"


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write(tmp_path / "file", b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"file: cannot be written: .*No space left"):
        place.write(tmp_path / "file", b"after")
    assert (tmp_path / "file").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("url", ["nonsense://bucket/x", "s3://bucket/x"])
def test_what_cannot_be_reached_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    with pytest.raises(UserError, match=rf"{url}: cannot be read: "):
        place.read(url)
