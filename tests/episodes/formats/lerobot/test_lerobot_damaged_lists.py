"""LeRobot datasets as people have them: damaged or missing files, lines and tasks."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
import pyarrow
from pyarrow import parquet

from firsthand.common.errors import UserError
from tests.helpers.lerobot_damage import (
    FILM,
    FRAMES,
    FRONT,
    data,
    edit_info,
    edit_rows,
    losses,
    numbers,
    report_of,
)


@pytest.mark.parametrize("name", ["index", "task_index"])
def test_a_feature_that_nobody_needs_may_be_undescribed(v21, name):
    said = 4 if name == "index" else 0
    for change in (lambda f: f[name].pop("shape"), lambda f: f.pop(name)):
        edit_info(v21, lambda info, c=change: c(info["features"]))
        report = report_of(v21)
        assert losses(report)[0]["frame"] == (FRAMES, 0)
        assert losses(report)[0]["sentence"][0] == said
        assert not [note for note in report.notes if note.startswith("columns that hold no")]
    edit_info(v21, lambda info: info["features"].pop("frame_index"))
    with pytest.raises(UserError, match="lacks the feature 'frame_index'"):
        report_of(v21)


def test_a_task_that_is_not_in_the_table_costs_its_sentence(v21):
    column = numbers([1] * 5 + [9] * 7, pyarrow.int64())
    edit_rows(data(v21), lambda columns: columns.update(task_index=column))
    report = report_of(v21)
    assert losses(report)[0]["sentence"] == (3, 1)
    assert losses(report)[1] == ["episode_000001: frames 5 to 11"]
    edit_rows(data(v21), lambda columns: columns.update(task_index=pyarrow.array(["x"] * 12)))
    assert losses(report_of(v21))[0]["sentence"] == (2, 1)


def test_files_of_systems_are_passed_over(v30):
    for folder in ("meta/episodes", "data"):
        (v30 / folder / "chunk-000" / "._file-000.parquet").write_bytes(b"Mac OS X")
    assert losses(report_of(v30))[1] == []


def test_which_rows_are_an_episodes_is_said_by_the_rows(v30):
    """Issue 2401 of lerobot: the list calls an episode's file the one before; and an episode that
    was deleted from the list alone."""
    lists = v30 / "meta/episodes/chunk-000/file-000.parquet"
    rows = v30 / "data/chunk-000/file-000.parquet"
    table = parquet.read_table(rows)
    parquet.write_table(table.slice(0, 9), rows)
    parquet.write_table(table.slice(9, 12), rows.with_name("file-001.parquet"))
    parquet.write_table(table.slice(21), rows.with_name("file-002.parquet"))
    for stated in ([0, 0, 1], [0, 1, 1], [0, 1, 2]):
        stale = numbers(stated, pyarrow.int64())
        edit_rows(lists, lambda columns, v=stale: columns.update({"data/file_index": v}))
        assert losses(report_of(v30))[0]["frame"] == (FRAMES, 0)
    edit_rows(lists, lambda columns: {name: v[1:] for name, v in columns.items()})
    report = report_of(v30)
    assert (report.items, report.used) == (2, 2)
    assert "info.json announces 3 episodes, 2 are listed" in report.notes


def test_an_episode_removed_from_the_front_of_a_files_list_costs_the_rest_nothing(v30):
    lists = v30 / "meta/episodes/chunk-000/file-000.parquet"
    edit_rows(lists, lambda columns: {name: v[1:] for name, v in columns.items()})
    report = report_of(v30)
    assert (report.items, losses(report)[0]["frame"]) == (2, (19, 0))


def test_a_line_of_the_list_that_is_damaged_costs_its_episode(v30):
    lists = v30 / "meta/episodes/chunk-000/file-000.parquet"
    lengths = numbers([9, 5, 7], pyarrow.int64())
    edit_rows(lists, lambda columns: columns.update(length=lengths))
    assert report_of(v30).lost == (
        ("episode_000001", "is 5 frames long, but file-000.parquet has 12"),
    )
    lengths = numbers([9, None, 7], pyarrow.int64())
    edit_rows(lists, lambda columns: columns.update(length=lengths))
    assert report_of(v30).lost == (("episode_000001", "its length in file-000.parquet is None"),)


@pytest.mark.parametrize(
    ("column", "value"),
    [("from_timestamp", None), ("from_timestamp", float("nan")), ("chunk_index", None)],
)
def test_a_camera_whose_place_is_not_known_costs_itself(v30, column, value):
    """While another camera is there: the one in the parquet file."""
    name = f"videos/{FRONT}/{column}"
    lists = v30 / "meta/episodes/chunk-000/file-000.parquet"

    def edit(columns):
        cells = columns[name].to_pylist()
        columns[name] = pyarrow.array([cells[0], value, cells[2]], columns[name].type)

    edit_rows(lists, edit)
    report = report_of(v30)
    assert not report.lost
    assert losses(report)[0]["frame"] == (FRAMES, 0)
    assert losses(report)[1] == [f"episode_000001: {FRONT}"]
    (loss,) = [loss for part in report.parts for loss in part.lost]
    assert loss[1] == f"is of no known place: its {name} is {value}"
    assert not [note for note in report.notes if "not downloaded" in note]
    ((lost, reason),) = report_of(v30, cameras=(FRONT,)).lost
    assert (lost, reason) == ("episode_000001", f"{FRONT} {loss[1]}")


def test_a_list_that_cannot_be_read_costs_its_episodes(v30):
    lists = v30 / "meta/episodes/chunk-000/file-000.parquet"
    shutil.copy(lists, lists.with_name("file-001.parquet"))
    edit_rows(lists, lambda columns: {name: v[:2] for name, v in columns.items()})
    lists.with_name("file-001.parquet").write_bytes(b"x")
    report = report_of(v30)
    assert report.used == 2
    assert [name for name, _ in report.lost] == [
        "episode_000002", "meta/episodes/chunk-000/file-001.parquet"
    ]  # fmt: skip


def test_what_was_not_downloaded_is_counted_and_not_lost(v21):
    data(v21).unlink()
    (v21 / FILM.replace("01.mp4", "02.mp4")).unlink()
    report = report_of(v21)
    assert not report.lost
    assert report.items == 2
    assert report.notes[-2:] == (
        "data of 1 episodes is not downloaded: episode_000001",
        f"{FRONT} of 1 episodes is not downloaded: episode_000002",
    )
    only = report_of(v21, cameras=(f"rgb_static={FRONT}",))
    assert only.items == 1
    assert only.notes[-1] == (
        "data of 2 episodes is not downloaded: episode_000001, episode_000002"
    )
    shutil.rmtree(v21 / "videos")
    assert report_of(v21).items == 2
    (v21 / "meta/tasks.jsonl").unlink()
    with pytest.raises(UserError, match=r"meta/tasks.jsonl: is missing; download all of meta/"):
        report_of(v21)


def test_a_bad_row_of_the_tasks_costs_its_sentence_alone(v21):
    path = v21 / "meta/tasks.jsonl"
    lines = path.read_text().splitlines()
    assert len(lines) > 1
    no_text = ('{"task_index": 1, "task": "\\ud83d"}', '{"task_index": 1, "task": "\\u0000"}')
    for bad in ('{"task_index": 1, "ta', '{"task_index": 1, "task": null}', "7", *no_text):
        path.write_text("\n".join([lines[0], bad, *lines[2:]]))
        report = report_of(v21)
        assert report.items == 3
        reasons = [
            lost[1] for part in report.parts if part.unit == "sentence" for lost in part.lost
        ]
        assert reasons
        assert all("its task 1 is not in tasks.jsonl (" in reason for reason in reasons)
    path.write_text(no_text[0])
    assert report_of(v21).items == report_of(v21).used == 3
    path.write_text("7")
    with pytest.raises(
        UserError, match=r"tasks.jsonl: holds no table of tasks: row 1 is no number"
    ):
        report_of(v21)


def test_a_dataset_of_version_3_is_asked_for_its_own_table_of_tasks(v30):
    (v30 / "meta/tasks.parquet").unlink()
    with pytest.raises(UserError, match=r"meta/tasks.parquet: is missing; download all of meta/"):
        report_of(v30)


@pytest.mark.parametrize("version", ["v21", "v30"])
def test_the_hubs_cache_is_read(request, version, tmp_path):
    """`hf download` leaves links: snapshots/REVISION/… -> ../../blobs/…."""
    source = request.getfixturevalue(version)
    hub = tmp_path / "hub" / "datasets--me--cube"
    snapshot = hub / "snapshots" / "0123abcd"
    (hub / "blobs").mkdir(parents=True)
    for number, file in enumerate(sorted(p for p in source.rglob("*") if p.is_file())):
        blob, link = hub / "blobs" / f"{number:040x}", snapshot / file.relative_to(source)
        shutil.copy(file, blob)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path(*[".."] * (len(link.relative_to(hub).parts) - 1), "blobs", blob.name))
    assert losses(report_of(snapshot)) == losses(report_of(source))
