"""Files by path or URL: the same few operations, whole files only."""

import os
from pathlib import Path

import pytest

from firsthand.common import uri
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
    one, two = uri.join(folder, "one"), uri.join(folder, "below", "two")
    assert uri.sizes(folder) == {}
    assert uri.read(one) is None
    uri.write(one, b"first")
    uri.write(one, b"other")
    uri.write(two, b"deeper")
    assert uri.sizes(folder) == {"one": 5}
    assert uri.size(one) == 5
    assert uri.sizes(uri.join(folder, "below")) == {"two": 6}
    assert uri.read(one) == b"other"
    uri.remove(one)
    uri.remove(one)
    assert uri.size(one) is None
    assert uri.read(one) is None


@pytest.mark.parametrize("protocol", ["memory", "local"])
def test_files_are_uploaded(protocol: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    url = f"{protocol}://{tmp_path}/up/loaded"
    uri.upload(tmp_path / "file", url)
    assert uri.read(url) == b"content"


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri.write(tmp_path / "file", b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"file: cannot be written: .*No space left"):
        uri.write(tmp_path / "file", b"after")
    assert (tmp_path / "file").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("url", ["nonsense://bucket/x", "s3://bucket/x"])
def test_what_cannot_be_reached_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    with pytest.raises(UserError, match=rf"{url}: cannot be read: "):
        uri.read(url)
