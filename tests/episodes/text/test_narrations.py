import json

import pytest

from firsthand.episodes.episode import Narration
from firsthand.episodes.formats.dataset_folder import walk
from firsthand.episodes.tally import Tally
from firsthand.episodes.text.caption_files import VideoText
from firsthand.episodes.text.narrations import read_narrations


def heard(root, *names):
    """What is said in videos of these names, what was lost of it, and which files were read."""
    tally = Tally()
    videos = [root / name for name in names]
    said, _, read = read_narrations(root, videos, walk(root, False, tally), tally)
    return [said[video] for video in videos], tally, {path.name for path in read}


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
    below, tally = walk(tmp_path, False, Tally()), Tally()
    said, strangers, _ = read_narrations(tmp_path, videos, below, tally)
    assert tally.notes == {"sentences are left out for those of a file that goes before": 2}
    both = (Narration(0.0, 1.5, "stir"), Narration(1.5, 2.0, "pour"))
    assert said == {
        videos[0]: VideoText("", both),
        videos[1]: VideoText("", (Narration(0.5, 1.0, "wash, dry"),)),
        videos[2]: VideoText("the whole"),
        videos[3]: VideoText("from above"),
        videos[4]: VideoText("", both),
    }
    assert strangers == ["gone.mp4"]


def test_a_list_goes_before_a_table_and_what_that_leaves_out_is_noted(tmp_path):
    put(
        tmp_path,
        metadata_DOT_csv="file_name,start,end,text\na.mp4,0,1,x\na.mp4,1,2,y\nb.mp4,0,1,z\n",
        narrations_DOT_json={"a.mp4": "stir"},
    )
    said, tally, _ = heard(tmp_path, "a.mp4", "b.mp4")
    assert said == [VideoText("stir"), VideoText("", (Narration(0.0, 1.0, "z"),))]
    assert tally.notes == {"sentences are left out for those of a file that goes before": 2}


def test_a_bad_byte_and_a_name_that_comes_twice_cost_their_entries(tmp_path):
    entries = (
        '[{"start": 0, "end": 1, "text": "a", "text": "b"}, {"start": 1, "end": 2, "text": "c"}]'
    )
    lists = '{"a.mp4": "x", "a.mp4": "y", "b.mp4": "st\xe9", "c.mp4": "pour", "d.mp4": "z\0"}'
    (tmp_path / "narrations.json").write_bytes(lists.encode("latin-1"))
    (tmp_path / "e.json").write_text(entries)
    (tmp_path / "f.srt").write_bytes(SRT.replace("stir", "st\xe9r").encode("latin-1"))
    said, tally, _ = heard(tmp_path, *(f"{name}.mp4" for name in "abcdef"))
    assert said == [
        VideoText(), VideoText(), VideoText("pour"), VideoText(),
        VideoText("", (Narration(1.0, 2.0, "c"),)), VideoText("", (Narration(2.0, 3.0, "pour"),)),
    ]  # fmt: skip
    assert [where for _, where, _, _ in tally.lost] == [
        "narrations.json: 'a.mp4'", "narrations.json: 'b.mp4'", "narrations.json: 'd.mp4'",
        "e.json: entry 0", "f.srt: line 2",
    ]  # fmt: skip
    assert "named twice" in tally.lost[0][2]
    assert "named twice" in tally.lost[3][2]
    assert all("not text" in tally.lost[k][2] for k in (1, 2, 4))


def test_a_byte_order_mark_and_no_text_at_all(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf"\xc3\xa9"')
    assert heard(tmp_path, "a.mp4", "b.mp4")[0] == [VideoText("é"), VideoText()]


FOLDER = "lang_annotations_DOT_json"
START = "start,end,text\n"


@pytest.mark.parametrize(
    ("name", "content", "where", "reason"),
    [
        ("a_DOT_json", "{", "a.json", "is no readable JSON"),
        ("a_DOT_json", "[" * 100_000, "a.json", "is nested too deeply"),
        ("a_DOT_json", "7", "a.json", "must be a text or a list of start, end, text, not a number"),
        ("a_DOT_json", "null", "a.json", "not a null"),
        ("a_DOT_json", '"\\ud800"', "a.json", "not text"),
        (
            "a_DOT_json",
            [{"start": 0, "end": 1}],
            "a.json: entry 0",
            "must have start, end and text",
        ),
        ("a_DOT_json", ["x"], "a.json: entry 0", "must have start"),
        ("a_DOT_json", '[{"start": 0, "end": NaN, "text": "x"}]', "a.json: entry 0", "end nan are"),
        ("a_DOT_json", [{"start": 0, "end": 1e999, "text": "x"}], "a.json: entry 0", "end inf are"),
        ("a_DOT_json", [{"start": "z", "end": 1, "text": "x"}], "a.json: entry 0", "not 'z' and 1"),
        ("a_DOT_json", [{"start": 0, "end": 1, "text": 5}], "a.json: entry 0", "text is a number"),
        ("a_DOT_csv", "begin,end,text\n", "a.csv", "lacks the column 'start'; it has begin"),
        ("a_DOT_csv", "", "a.csv", "lacks the column 'start'; it has none"),
        ("a_DOT_csv", START + "3,2,x\n", "a.csv: line 2", "start 3.0 and end 2.0 are not 0 <= st"),
        ("a_DOT_csv", START + "-1,2,x\n", "a.csv: line 2", "start -1.0"),
        ("a_DOT_csv", START + "0\n", "a.csv: line 2", "has 1 fields, the first line has 3"),
        ("a_DOT_csv", START + '0,1,"x\n', "a.csv: line 2", "is no readable CSV"),
        ("a_DOT_csv", START + '"0,5",1,x\n', "a.csv: line 2", "must be seconds, not '0,5'"),
        ("a_DOT_srt", "1\n00:00:01 -> 2\nx --> y\n", "a.srt: line 2", "must be seconds"),
        (FOLDER, [1], "lang_annotations.json", "must map video names to texts"),
        (FOLDER, {"../a.mp4": "x"}, "lang_annotations.json: '../a.mp4'", "leads out of the folder"),
        (FOLDER, {"s/../../a": "x"}, "lang_annotations.json: 's/../../a'", "leads out of the fol"),
        (FOLDER, {"/etc/x": "x"}, "lang_annotations.json: '/etc/x'", "leads out of the folder"),
        (FOLDER, {"a\0.mp4": "x"}, "lang_annotations.json: 'a\\x00.mp4'", "leads out of the fol"),
        (FOLDER, {"a.mp4": {"x": 1}}, "lang_annotations.json: 'a.mp4'", "must be a text or a list"),
        (FOLDER, {"a.mp4": [3]}, "lang_annotations.json: 'a.mp4', entry 0", "must have"),
        ("metadata_DOT_csv", "name\nx\n", "metadata.csv", "lacks the column 'file_name'"),
        ("metadata_DOT_jsonl", '{"file_name": 3}', "metadata.jsonl: line 1", "names no file_name"),
        ("metadata_DOT_jsonl", '{"file_name": "a.mp4"}', "metadata.jsonl: line 1", "has no text"),
        (
            "metadata_DOT_jsonl",
            '{"file_name": "a.mp4", "text": null}',
            "metadata.jsonl: line 1",
            "has no text",
        ),
        (
            "metadata_DOT_jsonl",
            '{"file_name": "a.mp4", "text": "x", "start": 1}',
            "metadata.jsonl: line 1",
            "must have start, end and text",
        ),
        ("metadata_DOT_csv", "file_name,text\na.mp4, \n", "metadata.csv: line 2", "has no text"),
        (
            "metadata_DOT_csv",
            "file_name,label\na.mp4,x\n",
            "metadata.csv",
            "lacks the column text or caption; it has file_name, label",
        ),
    ],
)
def test_what_cannot_be_used_is_lost_by_its_place(tmp_path, name, content, where, reason):
    put(tmp_path, **{name: content}, b_DOT_json='"sound"')
    (first, second), tally, _ = heard(tmp_path, "a.mp4", "b.mp4")
    assert (first, second) == (VideoText(), VideoText("sound"))
    ((unit, place, why, count),) = tally.lost
    assert (unit, place, count) == ("sentence", where, 1)
    assert reason in why


def test_a_bad_row_costs_itself_and_every_one_is_told(tmp_path):
    rows = "0,1,one\n3,2,turned\n,,\n1,2,two\n1,oops,x\n9\n2,3,three\n"
    put(tmp_path, a_DOT_csv=START + rows)
    ((said), tally, _) = heard(tmp_path, "a.mp4")
    assert [n.text for n in said[0].narrations] == ["one", "two", "three"]
    assert sorted(where for _, where, _, _ in tally.lost) == [f"a.csv: line {n}" for n in (3, 6, 7)]


def test_a_bad_line_of_json_costs_itself(tmp_path):
    lines = ['{"file_name": "a.mp4", "text": "stir"}', "", '{"file_name": "a', "[]"]
    put(tmp_path, metadata_DOT_jsonl="\n".join([*lines, lines[0].replace("a.mp4", "b.mp4")]))
    said, tally, _ = heard(tmp_path, "a.mp4", "b.mp4")
    assert said == [VideoText("stir"), VideoText("stir")]
    assert [where for _, where, _, _ in tally.lost] == [f"metadata.jsonl: line {n}" for n in (3, 4)]


@pytest.mark.parametrize(
    "data",
    [
        b"start;end;text\n0,5;1,5;stir\n",
        b"start\tend\ttext\n0.5\t0:01.5\tstir\n",
        "\ufeffstart,end,text\r\n00:00:00.5,0:01.5,stir\r\n".encode(),
        "start,end,text\n0.5,1.5,stir\n".encode("utf-16"),
        "\ufeffstart,end,text\n0.5,1.5,stir\n".encode("utf-16-be"),
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path, data):
    (tmp_path / "a.csv").write_bytes(data)
    said, tally, _ = heard(tmp_path, "a.mp4")
    assert said == [VideoText("", (Narration(0.5, 1.5, "stir"),))]
    assert not tally.lost


def test_text_in_another_encoding_costs_its_sentences(tmp_path):
    (tmp_path / "a.csv").write_bytes("start,end,text\n0,1,\xe9\n1,2,stir\n".encode("latin-1"))
    said, tally, _ = heard(tmp_path, "a.mp4")
    assert said == [VideoText("", (Narration(1.0, 2.0, "stir"),))]
    assert tally.lost == [("sentence", "a.csv: line 2", "is no UTF-8 text", 1)]


SRT = """1
00:00:00,500 --> 00:00:01,500
<i>stir</i>
it

2
00:00:02,000 --> 00:00:03,000
pour
"""
VTT = """WEBVTT

NOTE mine

00:00.500 --> 00:01.500 align:start
stir it

00:02.000 --> 00:03.000
pour
"""
CUES = VideoText("", (Narration(0.5, 1.5, "stir it"), Narration(2.0, 3.0, "pour")))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.SRT", SRT, CUES),
        ("a.vtt", VTT, CUES),
        ("a.TXT", "Stir\nit.\n", VideoText("Stir it.")),
        ("a.mp4.json", '"stir"', VideoText("stir")),
        ("a.JSON", '"stir"', VideoText("stir")),
        ("Narrations.JSON", '{"a.mp4": "stir"}', VideoText("stir")),
        ("metadata.csv", "file_name,text\na.mp4,stir\n", VideoText("stir")),
        ("metadata.jsonl", '{"file_name": "a.mp4", "caption": "stir"}\n', VideoText("stir")),
        (
            "metadata.jsonl",
            '{"file_name": "a.mp4", "text": null, "caption": "stir"}',
            VideoText("stir"),
        ),
        (
            "metadata.csv",
            "file_name,start,end,caption\na.mp4,0.5,1.5,stir it\na.mp4,2,3,pour\n",
            CUES,
        ),
        (
            "narrations.csv",
            "file_name;start;end;text\na.mp4;0,5;1,5;stir it\na.mp4;2;3;pour\n",
            CUES,
        ),
    ],
)
def test_sentences_under_other_names(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    found, tally, read = heard(tmp_path, "a.mp4")
    assert found == [said]
    assert read == {name}
    assert not tally.lost


def test_files_of_other_tools_say_nothing(tmp_path):
    """video2dataset keeps the caption beside a table of its own; labelme's is of pictures."""
    put(tmp_path, a_DOT_json={"url": "x", "caption": "stir"}, a_DOT_txt="stir")
    put(tmp_path, b_DOT_json={"version": "5.0", "shapes": []}, c_DOT_txt="word " * 1000)
    said, tally, read = heard(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    assert said == [VideoText("stir"), VideoText(), VideoText()]
    assert read == {"a.txt"}
    assert not tally.lost


def timed(start, text):
    return {"start": start, "end": start + 1, "text": text}


ROWS = [timed(0, "stir"), {"text": "cook"}, timed(1, "pour"), {"text": "again"}]
BOTH = VideoText("cook", (Narration(0.0, 1.0, "stir"), Narration(1.0, 2.0, "pour")))


@pytest.mark.parametrize(
    ("name", "content", "said", "where"),
    [
        (
            "metadata.jsonl",
            "\n".join(json.dumps({"file_name": "a.mp4", **row}) for row in ROWS),
            BOTH,
            "line 4",
        ),
        (
            "metadata.csv",
            "file_name,start,end,text\na.mp4,0,1,stir\na.mp4,,,cook\na.mp4,1,2,pour\na.mp4,,,x\n",
            BOTH,
            "line 5",
        ),
        ("metadata.csv", "file_name,text\na.mp4,cook\na.mp4,again\n", VideoText("cook"), "line 3"),
        (
            "narrations.json",
            json.dumps(
                {"a.mp4": ROWS[:1], "./a.mp4": "cook", "x/../a.mp4": ROWS[2:3], ".//a.mp4": "again"}
            ),
            BOTH,
            "'.//a.mp4'",
        ),
    ],
)
def test_several_entries_for_a_video_are_kept_or_lost_by_name(tmp_path, name, content, said, where):
    (tmp_path / name).write_text(content)
    found, tally, _ = heard(tmp_path, "a.mp4")
    assert found == [said]
    reason = "a.mp4 has a text about the whole already"
    assert tally.lost == [("sentence", f"{name}: {where}", reason, 1)]


def test_a_file_that_says_nothing_hides_no_other(tmp_path):
    put(tmp_path, a_DOT_json="{bad", a_DOT_csv=START + "9,8,x\n", a_DOT_srt=SRT, a_DOT_txt="last")
    put(tmp_path, b_DOT_json="{bad", metadata_DOT_csv="file_name,text\nb.mp4,stir\nc.mp4,pour\n")
    put(tmp_path, narrations_DOT_json={"c.mp4": [3]})
    said, tally, read = heard(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    assert said == [CUES, VideoText("stir"), VideoText("pour")]
    assert [where for _, where, _, _ in tally.lost] == [
        "narrations.json: 'c.mp4', entry 0",
        "a.json",
        "a.csv: line 2",
        "b.json",
    ]
    assert "a.txt" not in read


@pytest.mark.parametrize(
    ("content", "said", "lost"),
    [
        (SRT.replace("\n\n2", "\n2"), ["stir it", "pour"], []),
        (SRT.replace("it\n", "\nit\n"), ["stir it", "pour"], []),
        (SRT.replace("it\n\n", "it\n10\n\n").replace("pour", "3"), ["stir it 10", "3"], []),
        (SRT.replace("\n", "\r"), ["stir it", "pour"], []),
        (SRT.replace("500 -->", "500 ->"), ["pour"], ["a.srt: line 2"]),
        (SRT.replace("000 -->", "000 →"), ["stir it"], ["a.srt: line 7"]),
        (SRT.replace(" --> ", "-->"), ["stir it", "pour"], []),
        (SRT.replace("it\n", "\nx --> 8\n"), ["stir", "pour"], ["a.srt: line 5"]),
        (VTT.replace("00:02", "NOTE\nmine\n\nlast\n00:02"), ["stir it", "pour"], []),
        (VTT.replace("\n\n00:02", "\n\nand 2\n\n00:02"), ["stir it and 2", "pour"], []),
        (VTT.replace("stir it\n\n", "NOTE it\n"), ["NOTE it", "pour"], []),
        ("WEBVTT\n\nSTYLE\n", [], []),
        ("", [], []),
    ],
)
def test_subtitles_as_people_write_them(tmp_path, content, said, lost):
    (tmp_path / "a.srt").write_bytes(content.encode())
    ((found,), tally, _) = heard(tmp_path, "a.mp4")
    assert [n.text for n in found.narrations] == said
    assert [where for _, where, _, _ in tally.lost] == lost
