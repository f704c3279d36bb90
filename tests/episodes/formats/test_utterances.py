import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.episodes.formats.saycam.utterances import (
    SPECIAL,
    Utterance,
    frame_name,
    make_vocabulary,
    read_utterances,
    shuffle_texts,
    split_utterances,
    write_utterances,
)


def rows(count, videos=4):
    return [
        Utterance(
            utterance=f"look , {'a ball' if n % 2 else 'it is n’t'} {n} !",
            transcript_filename=f"S_{n % videos}.csv",
            video_filename=f"S_{n % videos}.mp4",
            utterance_num=n + 1,
            num_frames=2,
            timestamps=(float(n), n + 0.2),
            frame_filenames=(frame_name(f"S_{n % videos}", n + 1, 0),),
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("flat", [False, True])
def test_what_is_written_is_read(tmp_path, flat):
    write_utterances(tmp_path / "train.json", rows(5), flat)
    content = json.loads((tmp_path / "train.json").read_text())
    assert isinstance(content, list) == flat
    assert (content if flat else content["data"])[0] == {
        "utterance": "look , it is n’t 0 !",
        "transcript_filename": "S_0.csv",
        "video_filename": "S_0.mp4",
        "utterance_num": 1,
        "num_frames": 2,
        "timestamps": [0.0, 0.2],
        "frame_filenames": ["S_0_001_00.jpg"],
    }
    assert read_utterances(tmp_path / "train.json") == rows(5)
    assert [path.name for path in tmp_path.iterdir()] == ["train.json"]


def test_a_manifest_of_egobabyvlm(tmp_path):
    """The example of its documentation, keys in its order."""
    (tmp_path / "train.json").write_text(
        '[{"utterance": "the cat sat on the mat", "frame_filenames": ["vid_a/vid_a_3.jpg",'
        ' "vid_a/vid_a_4.jpg"], "timestamps": [2.5, 3.5], "utterance_num": 1,'
        ' "video_filename": "vid_a.mp4", "transcript_filename": "vid_a.json", "num_frames": 2}]'
    )
    (row,) = read_utterances(tmp_path / "train.json")
    assert row.timestamps == (2.5, 3.5)
    assert row.frame_filenames == ("vid_a/vid_a_3.jpg", "vid_a/vid_a_4.jpg")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"utterance": float("nan")}, "utterance 1: utterance must be a text, not nan"),
        ({"utterance_num": True}, "utterance_num must be a count"),
        ({"num_frames": 3}, "3 frames, 2 timestamps, 1 file names"),
        ({"num_frames": 0, "timestamps": []}, "0 frames, 0 timestamps, 1 file names"),
        ({"timestamps": [0.0, float("inf")]}, "timestamps must be a list of seconds"),
        ({"frame_filenames": "a.jpg"}, "frame_filenames must be a list of names"),
    ],
)
def test_bad_rows_are_named(tmp_path, change, message):
    write_utterances(tmp_path / "a.json", rows(2))
    content = json.loads((tmp_path / "a.json").read_text())
    content["data"][1] |= change
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        read_utterances(tmp_path / "a.json")


@pytest.mark.parametrize("content", ['"text"', '{"rows": []}', "[7]", '[{"utterance": "x"}]'])
def test_other_json_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=r"a\.json: (must hold|utterance 0: (is no|lacks trans))"):
        read_utterances(tmp_path / "a.json")


def test_frame_names_are_the_official_ones():
    assert frame_name("S_20140420_1803_01", 82, 0) == "S_20140420_1803_01_082_00.jpg"
    assert frame_name("S_20140420_1803_01", 1234, 31) == "S_20140420_1803_01_1234_31.jpg"


def test_the_order_of_a_vocabulary():
    texts = ["b b b <unk> <unk> <unk>", "a a a .", "c c . .", ". d d d d"]
    assert make_vocabulary(texts) == {
        "<pad>": 0,
        "<unk>": 1,
        "<sos>": 2,
        "<eos>": 3,
        ".": 4,
        "d": 5,
        "a": 6,
        "b": 7,
    }
    assert "c" in make_vocabulary(texts, at_least=2)


@given(st.lists(st.text("ab '.", max_size=12)), st.integers(1, 4))
def test_vocabularies_hold_just_the_frequent_words(texts, at_least):
    vocabulary = make_vocabulary(texts, at_least)
    counts = Counter(" ".join(texts).split())
    words = [*vocabulary][len(SPECIAL) :]
    assert set(words) == {word for word, count in counts.items() if count >= at_least}
    assert [-counts[word] for word in words] == sorted(-counts[word] for word in words)
    assert list(vocabulary.values()) == list(range(len(vocabulary)))


def test_shuffling_permutes_only_the_sentences():
    before, after = rows(20), shuffle_texts(rows(20), 3)
    assert after == shuffle_texts(rows(20), 3)
    assert [row.utterance for row in after] != [row.utterance for row in before]
    assert sorted(row.utterance for row in after) == sorted(row.utterance for row in before)
    assert [row.frame_filenames for row in after] == [row.frame_filenames for row in before]


@pytest.mark.parametrize("videos", range(3, 41))
def test_few_recordings_leave_some_to_measure_on(videos):
    divided = split_utterances(rows(2 * videos, videos=videos), 0)
    counts = [len({row.video_filename for row in part}) for part in divided.values()]
    assert sum(counts) == videos
    assert min(counts) >= 1
    assert counts[0] == max(counts)


@pytest.mark.parametrize("by", ["video", "utterance"])
def test_splits_hold_everything_once(by):
    divided = split_utterances(rows(400, videos=40), 0, by)
    assert [len(divided[name]) for name in ("train", "val", "test")] == [360, 20, 20]
    assert sorted(r.utterance_num for rows in divided.values() for r in rows) == [*range(1, 401)]
    videos = [{row.video_filename for row in rows} for rows in divided.values()]
    assert (not videos[0] & (videos[1] | videos[2])) == (by == "video")
