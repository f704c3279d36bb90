"""LeRobot datasets as people have them: each damaged or missing part costs itself alone."""

import io
import json
import shutil
from fractions import Fraction
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
import av
import pyarrow
from PIL import Image
from pyarrow import parquet

from firsthand.common.errors import UserError
from firsthand.episodes.convert.convert import ConvertSettings, convert
from firsthand.episodes.formats.lerobot.images import decoded
from firsthand.episodes.formats.lerobot.reader import LeRobot
from firsthand.episodes.tally import Tally
from tests.helpers.films import write_film
from tests.helpers.lerobot_recordings import LENGTHS

FRONT, WRIST = "observation.images.front", "observation.images.wrist"
FILM = "videos/chunk-000/observation.images.front/episode_000001.mp4"
FRAMES, STREAMS = sum(LENGTHS), 3 * 6  # cameras and signals: front, wrist, state, action, 2 next.*


@pytest.fixture
def v21(project, tmp_path):
    shutil.copytree(project / "tests/data/lerobot_v21", tmp_path / "v21")
    return tmp_path / "v21"


@pytest.fixture
def v30(project, tmp_path):
    shutil.copytree(project / "tests/data/lerobot_v30", tmp_path / "v30")
    return tmp_path / "v30"


def edit_info(root, change):
    path = root / "meta" / "info.json"
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info))


def edit_rows(path, change):
    """Change the columns of a parquet file."""
    columns = {name: column.combine_chunks() for name, column in columns_of(path).items()}
    parquet.write_table(pyarrow.table(change(columns) or columns), path)


def columns_of(path):
    table = parquet.read_table(path)
    return {name: table.column(name) for name in table.column_names}


def data(root):
    return root / "data/chunk-000/episode_000001.parquet"


def report_of(root, **settings):
    out = root.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    return convert(LeRobot(root=root, **settings), out, ConvertSettings(held_out=0.0, max_lost=1.0))


def losses(report):
    """By unit: used, lost; and where."""
    counts = {part.unit: (part.used, part.lost_count) for part in report.parts}
    return counts, [where for part in report.parts for where, *_ in part.lost]


def numbers(values, kind=pyarrow.float32()):  # noqa: B008
    return pyarrow.array(values, kind)


SIGNALS = {  # of `next.reward`, which nobody needs
    "nan": numbers([float("nan")] * 12),
    "infinity in one frame": numbers([1.0] * 11 + [float("inf")]),
    "a null": numbers([None] + [1.0] * 11),
    "nothing but nulls": pyarrow.nulls(12),
    "ragged": pyarrow.array([[1.0] * (1 + k % 2) for k in range(12)]),
    "longer lists": pyarrow.array([[1.0, 2.0]] * 12),
    "texts": pyarrow.array(["a"] * 12),
    "structures": pyarrow.array([{"x": 1.0}] * 12),
    "bytes": pyarrow.array([b"a"] * 12),
    "times": pyarrow.array([3] * 12, pyarrow.timestamp("us")),
}


@pytest.mark.parametrize("values", SIGNALS.values(), ids=SIGNALS)
def test_a_column_that_nobody_needs_costs_itself(v21, values):
    edit_rows(data(v21), lambda columns: columns.update({"next.reward": values}))
    report = report_of(v21)
    counts, where = losses(report)
    assert not report.lost
    assert counts["signal"] == (STREAMS - 1, 1)
    assert counts["frame"] == (FRAMES, 0)
    assert where == ["episode_000001: next.reward"]


def test_a_column_that_is_missing_or_cannot_be_unpacked_costs_itself(v21):
    edit_rows(data(v21), lambda columns: {n: v for n, v in columns.items() if n != "next.done"})
    assert losses(report_of(v21))[1] == ["episode_000001: next.done"]
    group = parquet.read_metadata(data(v21)).row_group(0)
    places = [group.column(number) for number in range(group.num_columns)]
    (place,) = [p for p in places if p.path_in_schema.startswith("action")]
    start = place.dictionary_page_offset or place.data_page_offset
    content = data(v21).read_bytes()
    data(v21).write_bytes(content[:start] + b"\xff" * 12 + content[start + 12 :])
    assert losses(report_of(v21))[1] == ["episode_000001: next.done", "episode_000001: action"]


@pytest.mark.parametrize("index", [[None] * 12, [7] * 12])
def test_nobody_needs_the_index_over_all_episodes(v21, index):
    edit_rows(data(v21), lambda columns: columns.update(index=numbers(index, pyarrow.int64())))
    assert losses(report_of(v21)) == ({"frame": (28, 0), "sentence": (4, 0), "signal": (18, 0)}, [])


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


def test_a_column_that_is_left_out_is_not_said_to_be_a_signal(v21):
    edit_info(v21, lambda info: info["features"]["action"].update(shape="x"))
    notes = report_of(v21).notes
    assert "columns that hold no numbers are not kept: action (of no known shape)" in notes
    assert not [note for note in notes if note.startswith("action")]


@pytest.mark.parametrize("cell", [None, [float("nan")] * 7, [1.0] * 6, [1e300] * 7])
def test_a_frame_whose_actions_are_damaged_costs_itself(v21, cell):
    """They are needed; what is left are two recordings."""
    edit_info(v21, lambda info: info["features"]["action"].update(shape=[7]))
    for path in (v21 / "data").glob("*/*.parquet"):
        cells = [[0.5] * 7 for _ in range(parquet.read_metadata(path).num_rows)]
        cells = [*cells[:4], cell, *cells[5:]] if path == data(v21) else cells
        values = pyarrow.array(cells, pyarrow.list_(pyarrow.float64()))
        edit_rows(path, lambda columns, values=values: columns.update(action=values))
    report = report_of(v21, actions="action")
    assert dict(report.recordings) == {"train": 4}
    assert losses(report)[0]["frame"] == (FRAMES - 1, 1)
    assert losses(report)[1] == ["episode_000001: frame 4"]


def test_a_task_that_is_not_in_the_table_costs_its_sentence(v21):
    column = numbers([1] * 5 + [9] * 7, pyarrow.int64())
    edit_rows(data(v21), lambda columns: columns.update(task_index=column))
    report = report_of(v21)
    assert losses(report)[0]["sentence"] == (3, 1)
    assert losses(report)[1] == ["episode_000001: frames 5 to 11"]
    edit_rows(data(v21), lambda columns: columns.update(task_index=pyarrow.array(["x"] * 12)))
    assert losses(report_of(v21))[0]["sentence"] == (2, 1)


def test_other_columns_are_told_and_left(v21):
    """`language` columns are of lerobot's of 2026, still version 3.0."""
    row = {"role": "assistant", "content": "reach", "style": "subtask", "timestamp": 0.0}
    new = {
        "language_persistent": ("language", pyarrow.array([[row]] * 12)),
        "audio": ("audio", pyarrow.array([b"a"] * 12)),
        "thing": ("object", pyarrow.array(["a"] * 12)),
        "odd": (None, pyarrow.array([1.0] * 12)),
        "note": ("string", pyarrow.array(["a"] * 12)),
    }
    for name, (kind, values) in new.items():
        feature = {"dtype": kind, "shape": [1], "names": None}
        edit_info(v21, lambda info, n=name, f=feature: info["features"].update({n: f}))
        edit_rows(data(v21), lambda columns, n=name, v=values: columns.update({n: v}))
    edit_info(v21, lambda info: info["features"].update(shapeless={"dtype": "float32"}))
    report = report_of(v21)
    assert losses(report)[1] == []
    assert "texts of every frame are not kept: note" in report.notes
    (note,) = [note for note in report.notes if note.startswith("columns that hold no numbers")]
    assert note.endswith(
        "language_persistent (language), audio (audio), thing (object), odd (None), "
        "shapeless (of no known shape)"
    )


@pytest.mark.parametrize(
    "camera",
    [
        {"names": []},
        {"names": None},
        {"names": {"axes": ["height"]}},
        {"shape": [48, 64]},
        {"shape": None},
        {"shape": ["x", 2, 3]},
        {"info": "x"},
    ],
)
def test_odd_descriptions_of_cameras_cost_nothing(v21, camera):
    edit_info(v21, lambda info: info["features"][FRONT].update(camera))
    report = report_of(v21)
    assert not report.lost
    assert losses(report)[0]["signal"] == (STREAMS, 0)


def test_signals_may_be_called_as_ours(v21):
    """`state` and `actions` are names of the datasets that OpenVLA and pi0 are trained on."""

    def rename(columns):
        columns["state"] = columns.pop("observation.state")
        columns["front"] = columns.pop("next.reward")

    edit_info(v21, lambda info: rename(info["features"]))
    for path in (v21 / "data").glob("*/*.parquet"):
        edit_rows(path, rename)
    report = report_of(v21)
    assert losses(report)[0]["signal"] == (STREAMS - 3, 3)  # a camera is called front
    item = LeRobot(root=v21).listing().items[0]
    (episode,) = LeRobot(root=v21).read(item, Tally())
    assert episode.signals["recorded_state"].shape == (9, 14)


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


def png(mode, size=(20, 16)):
    buffer = io.BytesIO()
    Image.new(mode, size, 3).save(buffer, "PNG")
    return buffer.getvalue()


def edit_pictures(path, change):
    def edit(columns):
        cells = columns[WRIST].to_pylist()
        columns[WRIST] = pyarrow.array(change(cells), columns[WRIST].type)

    edit_rows(path, edit)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ({"bytes": b"x"}, "is neither PNG nor JPEG"),
        ({"bytes": png("RGB")[:-30]}, "is no readable picture"),
        ({"bytes": None}, "is not in the parquet file"),
        (None, "is not in the parquet file"),
        ({"bytes": png("RGB", (9, 9))}, "is (9, 9, 3), others are (16, 20, 3)"),
    ],
)
def test_a_picture_that_is_damaged_costs_its_frame(v21, cell, reason):
    edit_pictures(data(v21), lambda cells: [*cells[:3], cell, *cells[4:]])
    report = report_of(v21)
    assert not report.lost
    assert dict(report.recordings) == {"train": 4}
    (frames,) = [part for part in report.parts if part.unit == "frame"]
    ((where, why, count),) = frames.lost
    assert (frames.used, where, count) == (FRAMES - 1, "episode_000001: frame 3", 1)
    assert why.startswith(f"{WRIST} {reason}")
    assert "0x" not in why


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("odd", [png("I;16", (20, 16)), png("RGB", (9, 9))])
def test_one_odd_picture_costs_its_frame_wherever_it_is(v21, place, odd):
    def change(cells):
        return [cell if k != place else {"bytes": odd} for k, cell in enumerate(cells)]

    edit_pictures(data(v21), change)
    counts, where = losses(report_of(v21))
    assert counts["frame"] == (FRAMES - 1, 1)
    assert counts["signal"] == (STREAMS, 0)
    assert where == [f"episode_000001: frame {place}"]


def test_a_camera_without_most_of_its_pictures_costs_itself(v21):
    edit_pictures(data(v21), lambda cells: [*cells[:3], *[{"bytes": b"x"}] * 9])
    report = report_of(v21)
    assert losses(report)[1] == [f"episode_000001: {WRIST}"]
    (v21 / FILM).write_bytes(b"no video")
    report = report_of(v21)
    assert [name for name, _ in report.lost] == ["episode_000001"]  # no picture is left
    edit_pictures(data(v21), lambda cells: [{"bytes": png("RGB")}] * 12)
    assert losses(report_of(v21))[1] == [f"episode_000001: {FRONT}"]


def test_cameras_of_distances_are_left_out(v21):
    for path in (v21 / "data").glob("*/*.parquet"):
        edit_pictures(path, lambda cells: [{"bytes": png("I;16")} for _ in cells])
    report = report_of(v21)
    assert losses(report)[1] == []
    note = f"{WRIST} has pixels of the kind I;16, which are no colours; it is not read (3 times)"
    assert note in report.notes
    with pytest.raises(UserError, match="none of the 3 items can be used: .* the kind I;16"):
        report_of(v21, cameras=(WRIST,))


@pytest.mark.parametrize("place", ["info", "video_info"])
def test_cameras_that_are_said_to_show_distances_are_left_out(v21, place):
    about = {"dtype": "video", "shape": [48, 64, 3], place: {"video.is_depth_map": True}}
    edit_info(v21, lambda info: info["features"].update({FRONT: about}))
    report = report_of(v21)
    assert f"cameras of distances are not read: {FRONT}" in report.notes
    assert losses(report)[0]["signal"] == (STREAMS - 3, 0)


def test_a_video_that_is_over_too_early_costs_the_frames_behind(v21):
    shutil.copy(v21 / FILM.replace("01.mp4", "00.mp4"), v21 / FILM)  # 9 of 12 pictures
    report = report_of(v21)
    assert losses(report)[0]["frame"] == (FRAMES - 3, 3)
    assert losses(report)[1] == ["episode_000001: frames 9 to 11"]


@pytest.mark.parametrize(("rate", "count"), [(10, 10), (10, 9), (10, 5)])
def test_pictures_behind_the_end_of_a_video_are_missing(tmp_path, rate, count):
    film = write_film(tmp_path / "film.mp4", count, rate=rate)
    times = [Fraction(k, 10) for k in range(10)]
    seen = list(decoded(film, times, Fraction(1, 10)))
    assert [isinstance(picture, str) for picture in seen] == [k >= count for k in range(10)]


@pytest.mark.parametrize("rate", [8, 12])
def test_pictures_of_other_times_are_refused(tmp_path, rate):
    film = write_film(tmp_path / "film.mp4", 20, rate=rate)
    with pytest.raises(UserError, match=r"has no picture at .* the nearest is at"):
        list(decoded(film, [Fraction(k, 10) for k in range(20)], Fraction(1, 10)))


def test_a_damaged_packet_of_a_video_costs_its_frame(tmp_path):
    path = write_film(tmp_path / "film.mp4", 30, rate=10, bf="0", g="5")
    with av.open(str(path)) as film:
        entry = film.streams.video[0].index_entries[14]  # the last before a keyframe
    content = bytearray(path.read_bytes())
    content[entry.pos + 5 : entry.pos + entry.size] = b"\xff" * (entry.size - 5)
    path.write_bytes(content)
    seen = list(decoded(path, [Fraction(k, 10) for k in range(30)], Fraction(1, 10)))
    assert [k for k, picture in enumerate(seen) if isinstance(picture, str)] == [14]
    assert "has no picture at 1.400 s: cannot be decoded" in seen[14]
