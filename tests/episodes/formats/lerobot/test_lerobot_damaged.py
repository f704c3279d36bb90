"""LeRobot datasets as people have them: a damaged column or cell costs itself alone."""

import pytest

pytest.importorskip("pyarrow")
import pyarrow
from pyarrow import parquet

from firsthand.episodes.formats.lerobot.reader import LeRobot
from firsthand.episodes.tally import Tally
from tests.helpers.lerobot_damage import (
    FRAMES,
    FRONT,
    STREAMS,
    data,
    edit_info,
    edit_rows,
    losses,
    numbers,
    report_of,
)

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
