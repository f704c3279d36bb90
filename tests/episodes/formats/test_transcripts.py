import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.episodes.formats.saycam.transcripts import (
    clean_sentences,
    frame_times,
    parse_time,
    read_transcript,
)
from firsthand.episodes.tally import Tally
from firsthand.episodes.text.tokenizer import sentences, tokenize


@pytest.fixture(scope="module")
def golden(project):
    """What the official code gives (multimodal-baby), see the file's "about"."""
    return json.loads((project / "tests" / "golden" / "cvcl_official.json").read_text())


def test_times_are_the_official_ones(golden):
    times = golden["timestamps"]
    assert [parse_time(time) for time in times["in"]] == times["out"]


def test_timelines_are_the_official_ones(golden):
    for example in golden["utterance_timeline"]["examples"]:
        out = example["out_utterances"]
        times = frame_times(example["start"], example["end"], len(out))
        assert [len(seconds) for seconds in times] == example["num_frames"]
        np.testing.assert_allclose([seconds[0] for seconds in times], example["first_ts"])
        np.testing.assert_allclose([seconds[-1] for seconds in times], example["last_ts"])
        parts = example["utterance"].split("|")
        assert sum(map(clean_sentences, parts), []) == out
        if all(part.strip()[-1] in ".!?" for part in parts[:-1]):
            assert clean_sentences(example["utterance"].replace("|", "")) == out


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("1:6", 66),
        ("0:5", 50),
        ("10:59", 659),
        ("12.3", 750),
        ("12,05", 725),
        ("3 : 07", 187),
        ("1:2:3", 80),
        ("-5", None),
        ("a:b", None),
        ("", None),
        ("1:²", None),
        ("9" * 5000 + ":00", None),
        ("2:15 - 2:18", 135),
        ("00:01:30", 90),
        ("1:02:05", 3725),
        ("00:00:12,500 --> 00:00:14,000", 12),
        ("59:58", 3598),
    ],
)
def test_times(time, seconds):
    assert parse_time(time) == seconds


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("It's a ball, don't you see?", "It 's a ball , do n't you see ?"),
        ("I'm gonna get you, gotcha", "I 'm gon na get you , gotcha"),
        ("Can't, won't, cannot, couldn't've", "Ca n't , wo n't , can not , could n't 've"),
        ("dont im thats ill its were lets", "do nt i m that s ill its were lets"),
        ("it’s Sam’s don’t", "it ’s Sam ’s do n’t"),
        ("uh-oh mommy-- wait-- the--dog", "uh - oh mommy-- wait-- the -- dog"),
        ("'cause \"that's\" 'em! 'hi'", "'cause \" that 's \" 'em ! ' hi '"),
        ("no... yes.. ...so what?!", "no ... yes .. ... so what ? !"),
        ("Mr. B. Bob. e.g. 5pm a/b 3.5 10:30", "Mr. B. Bob . e.g. 5 pm a / b 3.5 10:30"),
        ("(a), [b]. no.Yes no.yes", "( a ) , [ b ] . no . Yes no.yes"),
        ("  ", ""),
    ],
)
def test_words_are_cut_as_spacy_does(text, tokens):
    """Expectations are what spaCy 3.8's English tokeniser gives."""
    assert tokenize(text) == tokens.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Look! A big dog. Yes", ["look !", "a big dog .", "yes"]),
        ("What?! No way!!! ok", ["what ? !", "no way ! ! !", "ok"]),
        ('He said "come." Then left', ['he said " come . "', "then left"]),
        ("well... you know. Hmm... Oh", ["well ... you know .", "hmm ...", "oh"]),
        ("Mr. Bear sat at 3.5 m", ["mr. bear sat at 3.5 m"]),
        ("(laughs)", []),
        ("(laughs) [noise]", [""]),
        ("*sings* (inaudible) yes", ["<unk> yes"]),
        ("[inaudible]. Hi inaudible.", ["<unk> .", "hi <unk> ."]),
        ("*a* b *c* d", ["d"]),  # greedy, as the original
        ("Don't!", ["do n't !"]),
    ],
)
def test_lines_become_sentences(text, expected):
    assert clean_sentences(text) == expected


@given(st.text(st.sampled_from("abI.?!'\"()-, …’0Tn"), max_size=40))
def test_cutting_loses_no_letter(text):
    tokens = tokenize(text)
    assert "".join(tokens) == "".join(text.split())
    assert all(tokens)
    cut = sentences(text)
    assert sum(cut, []) == tokens
    assert all(cut)


@given(st.integers(0, 4000), st.integers(0, 200), st.integers(1, 9))
def test_frames_lie_in_order_at_five_a_second(start, length, count):
    times = frame_times(start, start + length, count)
    assert len(times) == count
    for seconds in times:
        assert 1 <= len(seconds) <= 32
        assert start <= seconds[0] <= start + length
        assert seconds[0] == int(seconds[0])
        np.testing.assert_allclose(np.diff(seconds), 0.2)


@given(st.text(st.sampled_from("0123456789:.,;- "), max_size=8))
def test_any_time_is_read_or_refused(time):
    seconds = parse_time(time)
    assert seconds is None or seconds >= 0


HEADER = "Time,Speaker,Utterance,Objects Being Looked At,Objects Being Touched,Video Name\n"


def transcript(folder, lines, name="S_20140420_1803_01"):
    (folder / f"{name}.csv").write_text(HEADER + lines)
    return folder / f"{name}.csv"


def test_a_transcript(tmp_path):
    path = transcript(
        tmp_path,
        "0:05,M,Look! It's a ball.,ball,,S_20140420_1803_01.mov\n"
        "0:09,Dad,not used,,,\n"
        "0:1,mom,(laughs),,,\n"
        "0:12,Mom,,,,part 2\n"
        '0:13,the mom,"no, [inaudible]",,,\n'
        "0:30,M,back,,,\n"
        "0:20,m,again,,,\n"
        "2:345,M,when?,,,\n"
        "1:00,mother,bye,,,\n",
    )
    tally = Tally()
    found = read_transcript(path, tally)
    assert found.video == "S_20140420_1803_01"
    assert [(u.utterance, u.utterance_num, u.num_frames) for u in found.utterances] == [
        ("look !", 1, 10),
        ("it 's a ball .", 2, 10),
        ("no , <unk>", 4, 32),  # 3 is the line without text
        ("again", 5, 32),
        ("bye", 6, 1),
    ]
    assert found.others == {"Dad": 1}
    assert tally.parts[0].lost == (
        ("S_20140420_1803_01.csv: line 7", "starts at 30 s, the next at 20 s", 1),
        ("S_20140420_1803_01.csv: line 9", "'2:345' is no time", 1),
    )
    last = found.utterances[-1]
    assert last.timestamps == (60.0,)
    assert last.frame_filenames == ("S_20140420_1803_01_006_00.jpg",)
    assert (last.transcript_filename, last.video_filename) == (
        "S_20140420_1803_01.csv",
        "S_20140420_1803_01.mp4",
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (",,,,,\n", "holds no line"),
        ("0:05,M,hi,,,\n0:06,M,hi,,,\n", "must name the video 'a', but names none"),
        ("0:05,M,hi,,,c.mov\n0:06,M,hi,,,b.mov\n", "must name the video 'a', but names b.mov, c"),
        ("0:05,M,hi,,,a part\n", "must name the video 'a', but names none"),
    ],
)
def test_transcripts_that_cannot_be_used(tmp_path, lines, message):
    with pytest.raises(UserError, match=message):
        read_transcript(transcript(tmp_path, lines, "a"), Tally())


@pytest.mark.parametrize(
    ("times", "starts"),
    [
        (("00:00:05", "00:01:30", "01:00:00"), [5, 90, 3600]),
        (("59:30", "1:00:05", "1:00:09"), [3570, 3605, 3609]),
        (("5.25", "63.75", "70.5"), [5, 63, 70]),  # 75 is no second of a minute
        (("5,250", "63,500", "70,000"), [5, 63, 70]),
        (("0.05", "1.2", "2.10"), [5, 80, 130]),  # as SAYCam's tables: minutes.seconds
    ],
)
def test_a_table_keeps_to_one_kind_of_times(tmp_path, times, starts):
    lines = "".join(f'"{time}",M,hi,,,a.mov\n' for time in times)
    found = read_transcript(transcript(tmp_path, lines, "a"), Tally())
    assert [u.timestamps[0] for u in found.utterances] == starts


def test_a_line_without_a_time_costs_itself(tmp_path):
    lines = "0:05,M,one,,,a.mov\n0:xx,M,two,,,\n0:08,M,three,,,\n0:20,M,four,,,\n"
    tally = Tally()
    found = read_transcript(transcript(tmp_path, lines, "a"), tally)
    assert [(u.utterance, u.num_frames) for u in found.utterances] == [
        ("one", 15), ("three", 32), ("four", 1),
    ]  # fmt: skip
    assert tally.parts[0].lost == (("a.csv: line 3", "'0:xx' is no time", 1),)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("0:08,M,look, a ball,,,", "has 7 fields, the first line has 6"),
        ("0:08,M", "has 2 fields, the first line has 6"),
        ('0:08,M,"a" ball,,,', "is no readable CSV"),
        ('0:08,M,"a ball,,,', "begins a cell with a quote that it does not end"),
    ],
)
def test_a_line_without_the_tables_fields_costs_itself(tmp_path, line, why):
    lines = f"0:05,M,one,,,a.mov\n{line}\n,,,,,\n0:20,M,two,,,\n0:22,M,three,,,\n"
    tally = Tally()
    found = read_transcript(transcript(tmp_path, lines, "a"), tally)
    assert [u.utterance for u in found.utterances] == ["one", "two", "three"]
    ((where, reason, count),) = tally.parts[0].lost
    assert (where, count) == ("a.csv: line 3", 1)
    assert reason.startswith(why)


def test_a_line_of_another_video_costs_itself(tmp_path):
    lines = "0:05,M,one,,,a.mov\n0:08,M,two,,,b.mov\n0:09,M,three,,,a\n0:11,M,four,,,part 2\n"
    tally = Tally()
    found = read_transcript(transcript(tmp_path, lines, "a"), tally)
    assert [(u.utterance, u.num_frames) for u in found.utterances] == [
        ("one", 20), ("three", 10), ("four", 1),
    ]  # fmt: skip
    assert tally.parts[0].lost == (("a.csv: line 3", "names the video 'b.mov', not 'a'", 1),)


def test_a_transcript_of_one_line(tmp_path):
    found = read_transcript(transcript(tmp_path, "0:05,M,hi,,,a.mov\n", "a"), Tally())
    assert [(u.utterance, u.timestamps) for u in found.utterances] == [("hi", (5.0,))]


def test_a_transcript_of_a_spreadsheet(tmp_path):
    lines = "0:05,M,one,,,a.mov,,\n0:08,M,two,,,,,\n,,,,,,,\n"
    path = tmp_path / "a.csv"
    for delimiter in ",;\t":
        text = HEADER.replace("\n", ",,\n") + lines
        path.write_text(text.replace(",", delimiter))
        tally = Tally()
        assert [u.utterance for u in read_transcript(path, tally).utterances] == ["one", "two"]
        assert tally.parts == ()
