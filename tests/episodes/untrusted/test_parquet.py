"""Parquet files of others."""

from pathlib import Path

import numpy as np
import pytest

pyarrow = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402

from firsthand.common.errors import UserError  # noqa: E402
from firsthand.episodes.untrusted.parquet import enclosing_rows, load_parquet, parquet_columns  # noqa: E402


def write(path: Path, **columns) -> Path:
    parquet.write_table(pyarrow.table(columns), path)
    return path


def test_columns_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", a=np.arange(3), b=[[1.0], [2.0], []])
    assert load_parquet(path).column_names == ["a", "b"]
    assert load_parquet(path, ["b"]).to_pydict() == {"b": [[1.0], [2.0], []]}
    with pytest.raises(UserError, match="lacks the column 'c'; it has a, b"):
        load_parquet(path, ["a", "c"])


def test_some_rows_are_read_without_the_others(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pyarrow.table({"a": np.arange(100)})
    parquet.write_table(table, path, row_group_size=10)
    assert parquet_columns(path) == ("a",)
    for first, end in [(0, 100), (0, 10), (9, 11), (35, 62), (50, 50), (99, 100)]:
        rows = load_parquet(path, rows=(first, end)).column("a").to_pylist()
        assert rows == list(range(first, end))
    parts = load_parquet(path, rows=(35, 36), max_bytes=300)
    assert parts.num_rows == 1
    with pytest.raises(UserError, match="more than"):
        load_parquet(path, max_bytes=300)
    assert enclosing_rows(path, (35, 62)) == (30, 70)
    assert enclosing_rows(path, (10, 20)) == (10, 20)
    with pytest.raises(UserError, match="has 100 rows, not 99 to 100"):
        enclosing_rows(path, (99, 101))
    for rows in [(0, 101), (-1, 3), (5, 4)]:
        with pytest.raises(UserError, match="has 100 rows, not"):
            load_parquet(path, rows=rows)


def test_a_bomb_is_refused_by_its_footer(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", a=np.zeros(1_000_000))
    assert path.stat().st_size < 10_000
    with pytest.raises(UserError, match=r"claims 1,000,000 rows of"):
        load_parquet(path, max_bytes=1000)


def test_what_is_named_once_and_meant_often_is_refused(tmp_path: Path) -> None:
    """10 kB of text in a dictionary, 20,000 times: the footer speaks of a few kB."""
    path = write(tmp_path / "x.parquet", a=["x" * 10_000] * 20_000)
    assert path.stat().st_size < 30_000
    with pytest.raises(UserError, match="unpacks to more than the 50,000,000 bytes"):
        load_parquet(path, max_bytes=50_000_000)
    assert load_parquet(path, rows=(3, 5)).num_rows == 2


def test_one_name_for_two_columns(tmp_path: Path) -> None:
    table = pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2])], ["a", "a"])
    parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(UserError, match="names a column twice"):
        load_parquet(tmp_path / "x.parquet")


def test_damaged_files_say_so(tmp_path: Path) -> None:
    whole = write(tmp_path / "x.parquet", a=np.arange(1000)).read_bytes()
    for content in (b"", b"PAR1", whole[:-1], whole[:200], whole[:4] + b"\xff" * 99 + whole[103:]):
        path = tmp_path / "damaged.parquet"
        path.write_bytes(content)
        with pytest.raises(UserError, match="no readable parquet file") as error:
            load_parquet(path)
        assert str(error.value).startswith(str(path))
