"""Conversion: everything is used or named, nothing is made twice, and the bytes depend on the
dataset and the settings alone."""

import dataclasses
import fcntl
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from firsthand.common import uri
from firsthand.common.errors import OutputError, UserError
from firsthand.common.executor import LocalExecutor
from firsthand.episodes.convert.convert import ConvertSettings, convert
from firsthand.episodes.convert.report import ConversionReport
from firsthand.episodes.convert.source import Source, read
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.storage.merge import EpisodeFile
from tests.helpers.sources import Toys

HERE = LocalExecutor(0)
NAMES = tuple(f"toy {n}" for n in range(20))
SMALL = ConvertSettings(shard_megabytes=4.0)


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a corpus, but the lock."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def recordings(out: Path) -> dict[str, list[str]]:
    """The instructions of a corpus by item."""
    found: dict[str, list[str]] = {}
    for path in out.glob("shards/*.h5"):
        for header in EpisodeFile(path).headers:
            assert header.source["origin"] == "toys"
            found.setdefault(header.source["item"], []).append(header.instruction)
    return found


@pytest.fixture
def toys(tmp_path: Path) -> Callable[..., Toys]:
    return lambda names=NAMES, **values: Toys.make(tmp_path, names, **values)


def test_every_item_is_in_the_corpus_once(toys, tmp_path: Path) -> None:
    source = toys()
    assert isinstance(source, Source)
    report = convert(source, tmp_path / "out", SMALL, HERE)
    assert report == ConversionReport("toys", 20, {"train": 36, "valid": 4})
    assert recordings(tmp_path / "out") == {n: [f"{n} 0", f"{n} 1"] for n in NAMES}
    assert 3 < len(list((tmp_path / "out" / "shards").glob("*.h5"))) < 10
    assert source.read_names() == sorted(NAMES)
    assert ConversionReport.from_json((tmp_path / "out" / "report.json").read_bytes()) == report


def test_executors_and_places_change_no_byte(toys, tmp_path: Path) -> None:
    source = toys([*NAMES, "bad 1", "odd 1"], notes=["odd"])
    some = dataclasses.replace(SMALL, max_lost=0.2)
    report = convert(source, tmp_path / "one", some, HERE)
    assert convert(source, tmp_path / "two", some, LocalExecutor(2)) == report
    assert convert(source, f"memory://{tmp_path}/three", some, HERE) == report
    expected = content(tmp_path / "one")
    assert content(tmp_path / "two") == expected
    assert convert(source, f"local://{tmp_path}/four", some, LocalExecutor(2)) == report
    assert content(tmp_path / "four") == expected
    url = f"memory://{tmp_path}/three"
    assert {name: uri.read(uri.join(url, name)) for name in expected} == expected
    assert set(uri.sizes(url)) == {"corpus.json", "report.json"}


def test_a_second_conversion_reads_nothing(toys, tmp_path: Path) -> None:
    source = toys([*NAMES, "bad 1"])
    report = convert(source, tmp_path / "out", SMALL, HERE)
    before = content(tmp_path / "out")
    source.read_names()
    assert convert(source, tmp_path / "out", SMALL, HERE) == report
    assert source.read_names() == []
    assert content(tmp_path / "out") == before


def test_a_changed_item_makes_only_its_shard_again(toys, tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(toys(), out, SMALL, HERE)
    before = content(out)
    toys().read_names()
    convert(changed := toys(versions={"toy 7": "2"}), out, SMALL, HERE)
    assert "toy 7" in (read_again := changed.read_names())
    assert len(read_again) <= 6
    assert len(before.keys() & content(out).keys()) >= len(before) - 4  # shard, record, index
    fresh = tmp_path / "fresh"
    convert(changed, fresh, SMALL, HERE)
    assert content(out) == content(fresh)
    assert recordings(out).keys() == set(NAMES)


def test_other_settings_of_the_source_make_other_shards(toys, tmp_path: Path) -> None:
    convert(toys(), tmp_path / "out", SMALL, HERE)
    toys().read_names()
    convert(toys(level=50), tmp_path / "out", SMALL, HERE)
    assert len(toys().read_names()) == 20
    assert all(len(texts) == 2 for texts in recordings(tmp_path / "out").values())


def test_a_moved_dataset_is_the_same(toys, tmp_path: Path) -> None:
    convert(toys(), tmp_path / "out", SMALL, HERE)
    (tmp_path / "moved").mkdir()
    moved = dataclasses.replace(toys(), root=tmp_path / "moved")
    convert(moved, tmp_path / "out", SMALL, HERE)
    assert moved.read_names() == []


def test_other_splits_need_no_reading(toys, tmp_path: Path) -> None:
    convert(toys(), tmp_path / "out", SMALL, HERE)
    toys().read_names()
    more = dataclasses.replace(SMALL, held_out=0.5)
    assert convert(toys(), tmp_path / "out", more, HERE).recordings == {"train": 20, "valid": 20}
    cut = dataclasses.replace(SMALL, split_by="recording")
    assert convert(toys(), tmp_path / "out", cut, HERE).recordings == {"train": 36, "valid": 4}
    own = toys(splits=dict.fromkeys(NAMES[:5], "test"))
    assert convert(own, tmp_path / "out", SMALL, HERE).recordings["test"] == 10
    assert toys().read_names() == []


@pytest.mark.parametrize("lost_file", ["shards", "record", "corpus.json", "report.json"])
def test_what_is_missing_is_made_again(lost_file: str, toys, tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(toys(), out, SMALL, HERE)
    before = content(out)
    shard = sorted(out.glob("shards/*.h5"))[0]
    held = {header.source["item"] for header in EpisodeFile(shard).headers}
    lost = {"shards": shard, "record": shard.with_suffix(".json")}.get(lost_file, out / lost_file)
    lost.unlink()
    toys().read_names()
    convert(toys(), out, SMALL, HERE)
    assert set(toys().read_names()) <= held
    assert content(out) == before


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"key": 1}'])
def test_damaged_records_are_made_again(damage: bytes, toys, tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(toys(), out, SMALL, HERE)
    before = content(out)
    (out / "corpus.json").write_bytes(damage)
    sorted(out.glob("shards/*.json"))[0].write_bytes(damage)
    convert(toys(), out, SMALL, HERE)
    assert content(out) == before


def test_what_was_left_half_is_swept_away(toys, tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(toys(), out, SMALL, HERE)
    before = content(out)
    shard = sorted(out.glob("shards/*.h5"))[0].name
    halves = [f"{shard}.partial", f".{shard[:-3]}.json.123.partial", f"{'0' * 20}.json"]
    for name in [*(f"shards/{half}" for half in halves), ".report.json.7.partial"]:
        (out / name).touch()
    (out / "README.md").touch()
    (out / "shards" / "mine.h5").touch()
    convert(toys(), out, SMALL, HERE)
    assert content(out).keys() - before.keys() == {"README.md", "shards/mine.h5"}


def test_bad_items_are_named_and_leave_nothing_behind(toys, tmp_path: Path) -> None:
    source = toys(
        ["bad 1", *NAMES, "nan 1", "odd 1"], lost=[("gone", "is not there")], notes=["a note"]
    )
    settings = dataclasses.replace(SMALL, max_lost=0.2)
    report = convert(source, tmp_path / "out", settings, HERE)
    assert report.lost == (
        ("bad 1", "is bad"),
        ("nan 1", "actions of an episode holds values that are not finite"),
        ("odd 1", "unexpected KeyError: 'missing'"),
        ("gone", "is not there"),
    )
    assert (report.items, report.used, report.notes) == (24, 20, ("a note",))
    assert recordings(tmp_path / "out").keys() == set(NAMES)
    clean = tmp_path / "clean"
    convert(toys(), clean, dataclasses.replace(settings, shard_megabytes=1e3), HERE)
    spoilt = dataclasses.replace(settings, shard_megabytes=1e3)
    convert(source, tmp_path / "spoilt", spoilt, HERE)
    (one,), (two,) = clean.glob("shards/*.h5"), (tmp_path / "spoilt").glob("shards/*.h5")
    assert [h.instruction for h in EpisodeFile(one).headers] == [
        h.instruction for h in EpisodeFile(two).headers
    ]


def test_parts_that_are_lost_cost_themselves_alone(toys, tmp_path: Path) -> None:
    names = [*NAMES[:3], "worn 1", "worn 2", "worn bad"]
    report = convert(toys(names), tmp_path / "out", SMALL, HERE)
    (pictures,) = report.parts
    assert (pictures.used, pictures.lost_count, pictures.total) == (15, 3, 18)
    assert pictures.lost[0] == ("worn 1/3.jpg", "is no JPEG", 1)
    assert report.notes == ("sound is not read (3 times)",)
    assert "3 of 18 pictures are lost:" in report.lines()
    assert ConversionReport.from_json((tmp_path / "out" / "report.json").read_bytes()) == report
    assert convert(toys(names), tmp_path / "out", SMALL, HERE) == report  # nothing made again


def test_parts_of_an_item_that_is_lost_are_not_counted(toys, tmp_path: Path) -> None:
    some = dataclasses.replace(SMALL, max_lost=0.5)
    report = convert(toys([*NAMES[:3], "worn 1", "worn, then bad"]), tmp_path / "out", some, HERE)
    assert report.parts[0].total == 6
    assert report.notes == ("sound is not read",)


def test_too_much_lost_is_an_error_and_keeps_what_was_made(toys, tmp_path: Path) -> None:
    source, out = toys([*NAMES, "bad 1", "bad 2"]), tmp_path / "out"
    message = r"2 of 22 items are lost \(9\.1%\), more than max_lost=0\.05: bad 1 is bad; bad 2 is"
    for _ in range(2):
        with pytest.raises(UserError, match=message) as error:
            convert(source, out, SMALL, HERE)
        assert str(out / "report.json") in str(error.value)
        assert not (out / "corpus.json").exists()
    assert len(json.loads((out / "report.json").read_text())["lost"]) == 2
    assert source.read_names() == sorted([*NAMES, "bad 1", "bad 2"])
    convert(source, out, dataclasses.replace(SMALL, max_lost=0.1), HERE)
    assert source.read_names() == []
    with pytest.raises(UserError, match=message):
        convert(source, out, SMALL, HERE)


def test_a_corpus_stays_until_its_successor_is_whole(toys, tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(toys(), out, SMALL, HERE)
    with pytest.raises(UserError, match="8 of 20 items are lost"):
        convert(toys([*NAMES[:12], *(f"bad {n}" for n in range(8))]), out, SMALL, HERE)
    corpus = Corpus.open(out)
    corpus.verify()
    assert len(corpus) == 40


def test_datasets_that_hold_nothing_are_errors(toys, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UserError, match=r"nothing in this dataset \(toys\).*; skipped a: is gone"):
        convert(toys([], lost=[("a", "is gone")]), out, SMALL, HERE)
    with pytest.raises(UserError, match=r"2 names .* stand for several items each: 'a', 'b'"):
        convert(toys(["a", "b", "a", "c", "b"]), out, SMALL, HERE)
    assert not out.exists()
    everything = dataclasses.replace(SMALL, max_lost=1.0)
    with pytest.raises(UserError, match="none of the 2 items can be used: bad 1 is bad; bad 2"):
        convert(toys(["bad 1", "bad 2"]), out, everything, HERE)


def test_an_item_that_kills_its_process_is_lost_alone(toys, tmp_path: Path) -> None:
    source = toys([*NAMES, "deadly"])
    report = convert(source, tmp_path / "out", SMALL, LocalExecutor(2))
    assert report.lost == (
        ("deadly", "ends the process that reads it, which was killed by SIGSEGV"),
    )
    assert recordings(tmp_path / "out").keys() == set(NAMES)


def test_a_process_that_is_killed_costs_nothing(toys, tmp_path: Path) -> None:
    source = toys([*NAMES, "frail 1", "frail 2"])
    report = convert(source, tmp_path / "out", SMALL, LocalExecutor(2))
    assert report.lost == ()
    whole = tmp_path / "whole"
    convert(source, whole, SMALL, HERE)
    assert content(tmp_path / "out") == content(whole)


def test_two_processes_do_not_convert_to_one_place(toys, tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(toys(), out, SMALL, HERE)
    with (out / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match=r"out: another process is converting into it"):
            convert(toys(), out, SMALL, HERE)


def test_nothing_else_is_overwritten(toys, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="holds something that is no corpus"):
        convert(toys(), tmp_path, SMALL, HERE)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file: cannot be written: File exists"):
        convert(toys(), tmp_path / "file", SMALL, HERE)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shard_megabytes": 0.0}, "shard_megabytes must be above 0, not 0"),
        ({"held_out": 1.0}, "held_out must be at least 0 and below 1, not 1"),
        ({"max_lost": 1.5}, "max_lost must be 0 to 1, not 1.5"),
    ],
)
def test_impossible_settings_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ConvertSettings(**values)


def test_datasets_can_be_read_without_converting(toys) -> None:
    episodes = list(read(toys(["a", "bc"])))
    assert [episode.instruction for episode in episodes] == ["a 0", "a 1", "bc 0", "bc 1"]
    assert episodes[0].source == {"origin": "toys", "item": "a"}
    with pytest.raises(UserError, match="bad 1: is bad"):
        list(read(toys(["bad 1"])))
