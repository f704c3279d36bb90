"""Edits copies of tests/data/lerobot_v21 and lerobot_v30, and tells what that cost."""

import json
import shutil

import pytest

pytest.importorskip("pyarrow")
import pyarrow
from pyarrow import parquet

from firsthand.episodes.convert.convert import ConvertSettings, convert
from firsthand.episodes.formats.lerobot.reader import LeRobot
from tests.helpers.lerobot_recordings import LENGTHS

FRONT, WRIST = "observation.images.front", "observation.images.wrist"
FILM = "videos/chunk-000/observation.images.front/episode_000001.mp4"
FRAMES, STREAMS = sum(LENGTHS), 3 * 6  # cameras and signals: front, wrist, state, action, 2 next.*


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
