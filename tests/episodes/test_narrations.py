import json

import pytest

from episodes.episode import Narration
from episodes.errors import UserError
from episodes.narrations import Said, read_narrations


def put(root, **files):
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))


def test_every_place_a_text_may_stand(tmp_path):
    videos = [tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4", "sub/d.mkv", "sub/e.mp4")]
    timed = [{"start": 0, "end": 1.5, "text": " stir "}, {"start": 1.5, "end": 2, "text": "pour"}]
    put(
        tmp_path,
        a_DOT_json=timed,
        a_DOT_csv="start,end,text\n9,9,not read\n",
        b_DOT_csv='start,end,text,extra\n0.5,1,"wash, dry",x\n',
        lang_annotations_DOT_json={
            "a.mp4": "goes behind a.json",
            "c.mp4": "the whole",
            "sub/d.mkv": "from above",
            "sub/../sub/e.mp4": "goes behind the nearer one",
            "gone.mp4": "x",
        },
        sub__narrations_DOT_json={"e.mp4": timed},
    )
    said, strangers = read_narrations(tmp_path, videos)
    both = (Narration(0.0, 1.5, "stir"), Narration(1.5, 2.0, "pour"))
    assert said == {
        videos[0]: Said("", both),
        videos[1]: Said("", (Narration(0.5, 1.0, "wash, dry"),)),
        videos[2]: Said("the whole"),
        videos[3]: Said("from above"),
        videos[4]: Said("", both),
    }
    assert strangers == ["gone.mp4"]


def test_a_byte_order_mark_and_no_text_at_all(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf"\xc3\xa9"')
    videos = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    assert read_narrations(tmp_path, videos)[0] == {videos[0]: Said("é"), videos[1]: Said()}


FOLDER = "lang_annotations_DOT_json"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a_DOT_json", "{", r"a\.json: is no readable JSON"),
        ("a_DOT_json", "[" * 100_000, r"a\.json: is nested too deeply"),
        ("a_DOT_json", "7", r"a\.json: must be a text or a list .* not a number"),
        ("a_DOT_json", [{"start": 0, "end": 1}], r"entry 0: must have start, end and text"),
        ("a_DOT_json", ["x"], r"a\.json: entry 0: must have"),
        ("a_DOT_json", [{"start": 2, "end": 1, "text": "x"}], r"start 2\.0 and end 1\.0 are not"),
        ("a_DOT_json", '[{"start": 0, "end": NaN, "text": "x"}]', r"end nan are not"),
        ("a_DOT_json", [{"start": 0, "end": 1e999, "text": "x"}], r"end inf are not"),
        ("a_DOT_json", [{"start": -1, "end": 1, "text": "x"}], r"start -1\.0"),
        ("a_DOT_json", [{"start": "z", "end": 1, "text": "x"}], r"must be seconds, not 'z' and 1"),
        ("a_DOT_json", [{"start": 0, "end": 1, "text": 5}], r"the text is a number"),
        ("a_DOT_json", '"\\ud800"', r"a\.json: .* not text"),
        ("a_DOT_json", "null", r"not a null"),
        ("a_DOT_csv", "begin,end,text\n", r"a\.csv: lacks the column 'start'; it has begin"),
        ("a_DOT_csv", "", r"a\.csv: lacks the column 'start'; it has none"),
        ("a_DOT_csv", "start,end,text\n0,1,x\n1,oops,y\n", r"a\.csv: row 2: .* '1' and 'oops'"),
        ("a_DOT_csv", "start,end,text\n0\n", r"a\.csv: line 2 has 1 fields, the first line has 3"),
        ("a_DOT_csv", 'start,end,text\n0,1,"x\n', r"a\.csv: .*is no (readable CSV|UTF-8)"),
        (FOLDER, [1], r"lang_annotations\.json: must map video names to texts, but is a list"),
        (FOLDER, {"../a.mp4": "x"}, r"'\.\./a\.mp4' leads out of the folder"),
        (FOLDER, {"sub/../../a.mp4": "x"}, r"leads out of the folder"),
        (FOLDER, {"/etc/passwd": "x"}, r"'/etc/passwd' leads out of the folder"),
        (FOLDER, {"a\0.mp4": "x"}, r"leads out of the folder"),
        (FOLDER, {"a.mp4": {"text": "x"}}, r"'a\.mp4': must be a text or a list"),
        (FOLDER, {"a.mp4": [3]}, r"'a\.mp4': entry 0: must have"),
    ],
)
def test_malformed_files_are_named(tmp_path, name, content, message):
    put(tmp_path, **{name: content})
    with pytest.raises(UserError, match=message):
        read_narrations(tmp_path, [tmp_path / "a.mp4"])


def test_text_in_another_encoding_is_named(tmp_path):
    (tmp_path / "a.csv").write_bytes("start,end,text\n0,1,\xe9\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"a\.csv: .*is no (readable CSV|UTF-8)"):
        read_narrations(tmp_path, [tmp_path / "a.mp4"])
