"""Links in datasets: named and not followed out of their folder, unless they are trusted."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from firsthand.common.errors import UserError
from firsthand.episodes.convert.convert import ConvertSettings, convert
from firsthand.episodes.convert.source import Source, read
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.formats.dataset_folder import kinds, walk
from firsthand.episodes.formats.video_folder import VideoFolder
from firsthand.episodes.tally import Tally
from firsthand.episodes.untrusted.trust import inside
from tests.helpers.films import write_film
from tests.helpers.foreign import FORMATS


def link_files(source: Path, root: Path) -> Path:
    """Every file a link, as in a folder that was gathered from several disks."""
    for path in source.rglob("*"):
        there = root / path.relative_to(source)
        there.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            there.symlink_to(path)
    return root


def link_folders(source: Path, root: Path) -> Path:
    """What is in the dataset's folder is links, as when a large disk holds it."""
    root.mkdir()
    for path in source.iterdir():
        (root / path.name).symlink_to(path)
    return root


def link_hub(source: Path, root: Path) -> Path:
    """The Hub's cache: contents by their hash, names in a snapshot."""
    repository = root / "datasets--you--yours"
    snapshot = repository / "snapshots" / "0a1b2c"
    (repository / "blobs").mkdir(parents=True)
    for path in source.rglob("*"):
        there = snapshot / path.relative_to(source)
        there.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            blob = repository / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
            blob.write_bytes(path.read_bytes())
            there.symlink_to(
                Path(*[".."] * (len(there.parts) - len(repository.parts) - 1), "blobs", blob.name)
            )
    return snapshot


def recorded(source: Source) -> tuple[list[str], int, str]:
    """The items, and of the first recording how long it is and what is said."""
    first = next(read(source))
    return [item.name for item in source.listing().items], len(first), first.instruction


def refusal(source: Source) -> str:
    """What is said of a dataset of which nothing can be used, or not all."""
    try:
        listing = source.listing()
        said = [*listing.lost, *listing.tally.lost, *listing.tally.notes]
        list(read(source))
    except UserError as error:
        return str(error)
    return str(said)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("link", [link_files, link_folders])
def test_links_out_of_a_dataset_are_followed_only_if_they_are_trusted(name, link, tmp_path):
    FORMATS[name].make(tmp_path / "real")
    real = FORMATS[name].source(tmp_path / "real")
    linked = FORMATS[name].source(link(tmp_path / "real", tmp_path / "linked"))
    assert "links=true" in refusal(linked)
    assert recorded(replace(linked, links=True)) == recorded(real)  # pyright: ignore


@pytest.mark.parametrize("name", FORMATS)
def test_a_snapshot_in_the_hubs_cache_is_read_as_it_is(name, tmp_path):
    FORMATS[name].make(tmp_path / "real")
    linked = FORMATS[name].source(link_hub(tmp_path / "real", tmp_path / "hub"))
    assert recorded(linked) == recorded(FORMATS[name].source(tmp_path / "real"))


def test_a_snapshot_leads_to_the_contents_of_its_repository_alone(tmp_path):
    snapshot = tmp_path / "mine" / "snapshots" / "0a"
    snapshot.mkdir(parents=True)
    for number, target in enumerate(("theirs/blobs/1", "mine/refs/main", "mine/snapshots/1b/x")):
        (snapshot / f"{number}").symlink_to(tmp_path / target)
        with pytest.raises(UserError, match="outside .*; links=true follows it"):
            inside(snapshot, f"{number}")
    (snapshot / "ours").symlink_to(tmp_path / "mine" / "blobs" / "1")
    assert inside(snapshot, "ours") == snapshot / "ours"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "a\0b"])
def test_names_in_tables_stay_inside_whatever_links_may_do(name, tmp_path):
    with pytest.raises(UserError, match="does not name a file inside"):
        inside(tmp_path, name, links=True)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(UserError, match="leads nowhere"):
        inside(tmp_path, "circle", links=True)


def tree(tmp_path: Path) -> Path:
    """Files, and links to folders: out, out again, up, across and in a circle."""
    root = tmp_path / "root"
    for folder in ("root/a", "root/b", "out/deep"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.txt").touch()
    (tmp_path / "out" / "back").symlink_to(root)
    (root / "a" / "across").symlink_to(root / "b")
    (root / "a" / "out").symlink_to(tmp_path / "out")
    (root / "more").symlink_to(tmp_path / "out" / "deep")
    (root / "self").symlink_to(root / "self")
    return root


def found(root: Path, links: bool) -> tuple[dict[str, list[str]], Tally]:
    tally = Tally()
    below = walk(root, links, tally)
    return {str(folder.relative_to(root)): files for folder, files in below.items()}, tally


def test_a_folder_is_read_once_however_many_links_lead_to_it(tmp_path):
    root = tree(tmp_path)
    without, tally = found(root, links=False)
    assert without == {".": ["self"], "a": ["x.txt"], "b": ["x.txt"]}
    lost = {where: reason for unit, where, reason, _ in tally.lost if unit == "link"}
    assert lost.keys() == {"a/out", "more"}
    assert (
        lost["more"] == f"is a link to {tmp_path}/out/deep, outside {root}; links=true follows it"
    )
    assert tally.notes == {"links to folders that are read in any case": 1}

    followed, tally = found(root, links=True)
    assert followed == {**without, "a/out": [], "more": ["x.txt"]}
    assert tally.used["link"] == 2
    assert not tally.lost
    assert tally.notes == {"links to folders that are read in any case": 3}  # across, back, deep


def test_a_link_to_what_is_hidden_in_the_folder_is_followed(tmp_path):
    (tmp_path / ".store" / "v").mkdir(parents=True)
    (tmp_path / ".store" / "v" / "x.mp4").touch()
    (tmp_path / "v").symlink_to(".store/v")
    below, tally = found(tmp_path, links=False)
    assert below == {".": [], "v": ["x.mp4"]}
    assert tally.used["link"] == 1


def test_what_systems_leave_is_noted_once(tmp_path):
    for name in ("._v1.mp4", ".DS_Store", "Thumbs.db", "v1.mp4", "sub/._v2.mp4", "@eaDir/v1.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "todo").mkdir()
    below, tally = found(tmp_path, links=False)
    assert below == {".": ["v1.mp4"], "sub": [], "todo": []}
    assert tally.notes == {
        "files that are hidden or left by systems are not read": 5,
        "empty folders": 2,
    }


def test_a_folder_that_may_not_be_listed_is_lost_by_name(tmp_path, monkeypatch):
    (tmp_path / "secret").mkdir()
    listed = os.scandir

    def refuse(path):
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    _, tally = found(tmp_path, links=False)
    assert tally.lost == [("folder", "secret", "cannot be listed: Permission denied", 1)]


def test_kinds_are_counted():
    assert kinds(["a.srt", "b.SRT", "c", "d.txt"]) == "2 .srt, 1 .txt, 1 without an ending"


def test_a_corpus_of_linked_videos(tmp_path):
    """Three videos, three more in a linked folder and one that is a link itself."""
    (tmp_path / "real" / "more").mkdir(parents=True)
    for name in ("1.mp4", "2.mp4", "more/3.mp4", "4.mp4"):
        write_film(tmp_path / "real" / name, 5)
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "real" / "1.mp4").rename(root / "1.mp4")
    (tmp_path / "real" / "2.mp4").rename(root / "2.mp4")
    (root / "more").symlink_to(tmp_path / "real" / "more")
    (root / "4.mp4").symlink_to(tmp_path / "real" / "4.mp4")
    settings = ConvertSettings(max_lost=0.5)
    report = convert(VideoFolder(root=root, size=16), tmp_path / "out", settings)
    assert [name for name, _ in report.lost] == ["4.mp4"]
    assert report.used == 2
    (links,) = [part for part in report.parts if part.unit == "link"]
    assert (links.used, links.lost_count) == (0, 1)
    report = convert(VideoFolder(root=root, size=16, links=True), tmp_path / "out", settings)
    assert not report.lost
    assert report.used == 4
    assert len(Corpus.open(tmp_path / "out")) == 4
    for name in ("1.mp4", "2.mp4", "4.mp4"):
        (root / name).unlink()
    with pytest.raises(UserError, match="nothing in this dataset.*links=true.*holds no video"):
        convert(VideoFolder(root=root), tmp_path / "none")
