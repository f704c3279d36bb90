"""Paths, texts and tables of others."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.episodes.untrusted.trust import (
    NamedTwice,
    inside,
    is_text,
    load_annotations,
    load_csv,
    load_json,
    load_json_lines,
    load_text,
    parse_csv,
    regular_file,
)


def test_names_inside_are_paths_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "link").symlink_to(tmp_path / "a")
    assert inside(tmp_path, "a/b.npz") == tmp_path / "a" / "b.npz"
    assert inside(tmp_path, "a/link/b..c") == tmp_path / "a" / "link" / "b..c"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/../../x", "a/..", "/etc/passwd", "a\0b", "a\ud800"]
)
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="does not name a file inside"):
        inside(tmp_path, name)


def test_links_that_lead_out_or_nowhere_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    with pytest.raises(UserError, match="outside"):
        inside(root, "out/x.npz")
    with pytest.raises(UserError, match="nowhere"):
        inside(root, "loop/x")


def test_a_root_that_is_a_link_itself_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert inside(tmp_path / "link", "x") == tmp_path / "link" / "x"


@given(st.lists(st.sampled_from(["..", ".", "a", "b", "", "/"]), max_size=6))
def test_what_inside_returns_never_leaves(tmp_path_factory: pytest.TempPathFactory, parts) -> None:
    root = tmp_path_factory.getbasetemp()
    try:
        path = inside(root, "/".join(parts))
    except UserError:
        return
    assert Path(os.path.realpath(path)).is_relative_to(root.resolve())


def test_pipes_and_folders_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(UserError, match="is no file but"):
            regular_file(path)
    with pytest.raises(UserError, match="No such file"):
        regular_file(tmp_path / "absent")
    with pytest.raises(UserError, match="null"):
        regular_file("a\0b")


def test_texts_have_a_size_and_an_encoding(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes("\ufeffgrün".encode())
    assert load_text(path, 8) == "grün"
    with pytest.raises(UserError, match="8 bytes, more than the 7"):
        load_text(path, 7)
    path.write_bytes("grün".encode("latin1"))
    with pytest.raises(UserError, match="no UTF-8"):
        load_text(path)
    path.write_bytes(b"a\0b")
    with pytest.raises(UserError, match="zero byte"):
        load_text(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 2}', "'a' is named twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("9" * 5000, "no readable JSON"),
        ('{"a": 1', "no readable JSON"),
        ("", "no readable JSON"),
    ],
)
def test_json_that_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(UserError, match=reason) as error:
        load_json(path)
    assert str(error.value).startswith(str(path))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_json_without_zeros_comes_back(tmp_path_factory: pytest.TempPathFactory, value) -> None:
    path = tmp_path_factory.getbasetemp() / "value.json"
    path.write_text(json.dumps(value))
    assert load_json(path) == value


def test_a_line_that_is_no_json_is_named_and_lost_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n\n[2]\r\n{"a"\n3')
    lost: list[tuple[str, str]] = []
    assert load_json_lines(path, lambda *told: lost.append(told)) == [
        (1, {"a": 1}),
        (3, [2]),
        (5, 3),
    ]
    ((where, why),) = lost
    assert where == "line 4"
    assert why.startswith("is no readable JSON")


def test_bad_bytes_and_names_that_come_twice_stay_in_their_entry(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b'[{"a": 1, "b": 2, "a": 3}, "caf\xe9", "a\0b", "c"]')
    table, latin, zero, good = load_annotations(path)
    assert table == {"a": NamedTwice("a"), "b": 2}
    assert str(table["a"]) == "'a' is named twice in one table"
    assert [is_text(text) for text in (latin, zero, good)] == [False, False, True]
    path.write_bytes(b'"a"\n"caf\xe9"\n"b\0"\n"c"')
    lost: list[tuple[str, str]] = []
    assert load_json_lines(path, lambda *told: lost.append(told)) == [(1, "a"), (4, "c")]
    assert lost == [
        ("line 2", "is no UTF-8 text"),
        ("line 3", "is no text: it holds a zero byte"),
    ]


def test_tables_keep_every_column(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b'\xef\xbb\xbfid, said\r\n1,"a, ""b""\nc"\r\n\r\n2,\r\n')
    assert load_csv(path, ["id"]) == [{"id": "1", "said": 'a, "b"\nc'}, {"id": "2", "said": ""}]
    path.write_text("id\tsaid\n1\tx\n")
    assert load_csv(path, ["said"], delimiter="\t") == [{"id": "1", "said": "x"}]


def test_empty_columns_behind_a_table_cost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,said,,\n1,x,,\n")
    assert load_csv(path, ["id"]) == [{"id": "1", "said": "x", "": ""}]
    path.write_text("id,said,\n1,x, y\n1,x, y,\n")
    with pytest.raises(UserError, match="line 3 has 4 fields, the first line has 3"):
        load_csv(path, ["id"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "lacks the column 'id'"),
        ("a,b\n1,2\n", "lacks the column 'id'"),
        ("id,b,b\n1,2,3\n", "names a column twice"),
        ("id,b\n1\n", "line 2 has 1 fields"),
        ("id,b\n1,2,3\n", "line 2 has 3 fields"),
        ('id,b\n1,"2\n', "no readable CSV"),
        ("id,b\n1," + "x" * 200_000 + "\n", "no readable CSV"),
        ("id,b\n1,\0\n", "zero byte"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=reason) as error:
        load_csv(path, ["id"])
    assert str(error.value).startswith(str(path))


def parsed(text: str) -> tuple[list[list[str]], list[str]]:
    """The cells of a table's rows, and where others were lost."""
    lost: list[str] = []
    rows = parse_csv(text, "x.csv", (), ",", lambda where, _: lost.append(where))
    return [list(row.values()) for _, row in rows], lost


@pytest.mark.parametrize(
    ("text", "found", "lost"),
    [
        ('0,1,"a\n1,2,b\n2,3,c\n', ["b", "c"], [2]),
        ('0,1,"a\n1,2,b\n2,3,c"\n3,4,d\n', ["b", 'c"', "d"], [2]),
        ('0,1,"a\n9\n1,2,b\n2,3,"c, d"\n3,4,e\n', ["b", "c, d", "e"], [2, 3]),
        ('0,1,"a\n1,2,"b\n2,3,"c\n3,4,d\n', ["d"], [2, 3, 4]),
        ('"0,1,a\n1,2,b\n', ["b"], [2]),
        ('0:01,0:02.5,"a\r\n\r\n0:02,1:03,b\r\n', ["b"], [2]),
        ('0,1,"a\n1,2,b' + "\n2,3,c" * 25_000, ["b"] + ["c"] * 25_000, [2]),
        ('0,1,"a\nb"\n1,2,"c\n1, 2, 3"\n', ["a\nb", "c\n1, 2, 3"], []),
        ('0,1,"a\n1,2,b\nand, c"\n', ["a\n1,2,b\nand, c"], []),
        ('0,1,"a\n1,2,b\n', ["b"], [2]),
        ('0,1,"a\nb\n', [], [3]),
    ],
)
def test_a_stray_quote_costs_its_row(text: str, found: list[str], lost: list[int]) -> None:
    rows, places = parsed("start,end,text\n" + text)
    assert [row[-1] for row in rows] == found
    assert places == [f"line {number}" for number in lost]


@pytest.mark.parametrize(
    "text", ['a.mp4,"well\nyes, you"\n', 'a,"well\nyes, you"\n', '"a\nb",well\n', '"a\nb,c",d\n']
)
def test_a_cell_of_several_lines_is_kept(text: str) -> None:
    rows, lost = parsed("file_name,text\n" + text)
    assert (len(rows), lost) == (1, [])
    assert any("\n" in cell for cell in rows[0])
