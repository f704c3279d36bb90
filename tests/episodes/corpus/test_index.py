import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.episodes.corpus.index import check_index, load_index
from firsthand.episodes.corpus.index_writer import IndexBuilder, write_arrays
from firsthand.episodes.corpus.manifest import Content
from firsthand.episodes.corpus.strings import StringTable
from firsthand.episodes.episode import Narration
from firsthand.episodes.storage.header import Header, SignalSpec, headers_from_json, headers_to_json

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
number = st.floats(0, 1e6)
names = st.sampled_from(["a", "b", "rgb_static"])


@st.composite
def any_header(draw) -> dict:
    """Parts of a header: beartype picks elements to check by chance, which strategies may not."""
    sizes = st.tuples(st.integers(1, 900), st.integers(1, 900))
    specs = st.tuples(st.just((3, 2)), st.sampled_from(["<f4", "|b1"]))
    return dict(
        length=draw(st.integers(1, 10**6)),
        fps=draw(st.floats(0.01, 1e4)),
        instruction=draw(text),
        narrations=tuple(draw(st.lists(st.builds(Narration, number, number, text), max_size=3))),
        cameras=draw(st.dictionaries(names, sizes)),
        has_state=draw(st.booleans()),
        has_actions=draw(st.booleans()),
        has_executed=draw(st.booleans()),
        source=draw(st.dictionaries(text, st.integers() | text, max_size=2)),
        signals=draw(st.dictionaries(names, specs)),
    )


def header_of(number: int, parts: dict) -> Header:
    signals = {name: SignalSpec(*spec) for name, spec in parts["signals"].items()}
    return Header(f"demo_{number}", **{**parts, "signals": signals})


shard = st.lists(st.tuples(any_header(), text, st.none() | names), max_size=4)


@settings(max_examples=60)
@given(st.lists(shard, min_size=1, max_size=4).filter(any))
def test_what_goes_in_comes_out(tmp_path_factory, shards):
    builder, expected = IndexBuilder(), []
    for number, recordings in enumerate(shards):
        headers = [header_of(n, parts) for n, (parts, _, _) in enumerate(recordings)]
        groups, splits = ([r[part] for r in recordings] for part in (1, 2))
        builder.add(headers, groups, splits)
        rows = zip(headers, groups, splits, range(len(headers)), strict=True)
        expected += [(number, *row) for row in rows]
    index, contents, splits = builder.finish()
    per_shard = np.array([len(recordings) for recordings in shards])
    check_index(index, len(contents), len(splits), per_shard)
    folder = tmp_path_factory.mktemp("index")
    loaded = load_index(folder, write_arrays(folder, index))
    for read in (index, loaded, pickle.loads(pickle.dumps(loaded))):
        assert len(read.recordings) == len(expected)
        for n, (number, header, group, split, episode) in enumerate(expected):
            row = read.recordings[n]
            assert read.header(n, contents[row["content"]]) == header
            assert (row["shard"], row["episode"]) == (number, episode)
            assert read.groups[int(row["group"])] == group
            assert split == (None if row["split"] < 0 else splits[row["split"]])
    assert splits == tuple(sorted(splits))
    assert len(set(index.texts)) == len(index.texts)


@given(st.lists(st.text(st.characters(categories=["L", "N", "S", "Cs"]))))
def test_strings_are_a_sequence(texts):
    strings = StringTable.of(texts)
    assert list(strings) == texts
    assert len(strings) == len(texts)
    assert strings[1:] == texts[1:]
    if texts:
        assert strings[-1] == texts[-1]
    with pytest.raises(IndexError):
        strings[len(texts)]


def small_index():
    header = Header("demo_0", 4, 10.0, "x", (Narration(0.0, 1.0, "y"),), {}, True, False, False, {})
    builder = IndexBuilder()
    builder.add([header, replace(header, name="demo_1")], ["g", "h"], ["train", "valid"])
    return builder.finish()[0]


def spoil(index, name, value):
    index.recordings[name][1] = value


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda i: spoil(i, "content", 1), "contents that are not there"),
        (lambda i: spoil(i, "split", 2), "splits that are not there"),
        (lambda i: spoil(i, "group", -1), "groups that are not there"),
        (lambda i: spoil(i, "instruction", 2), "instructions that are not there"),
        (lambda i: spoil(i, "source", 1), "sources that are not there"),
        (lambda i: spoil(i, "shard", 1), "in the order of the shards"),
        (lambda i: spoil(i, "episode", 0), "in the order of the shards"),
        (lambda i: spoil(i, "length", 0), "without length or rate"),
        (lambda i: spoil(i, "fps", np.nan), "without length or rate"),
        (lambda i: spoil(i, "narrations", 2), "has 2 narrations, its recordings 3"),
        (lambda i: spoil(i, "narration", 0), "in the order of the recordings"),
        (lambda i: i.narrations["text"].__setitem__(0, 2), "a text that is not there"),
        (lambda i: i.groups.ends.__setitem__(0, 3), "groups that do not end where they should"),
    ],
)
def test_an_index_that_contradicts_itself_is_refused(damage, message):
    index = small_index()
    check_index(index, 1, 2, np.array([2]))
    damage(index)
    with pytest.raises(UserError, match=message):
        check_index(index, 1, 2, np.array([2]))
    with pytest.raises(UserError, match="has 2 recordings, the shards 3"):
        check_index(small_index(), 1, 2, np.array([2, 1]))


def test_headers_of_the_first_version_have_no_signals():
    header = small_index().header(0, Content({}, True, False, False))
    fields = json.loads(headers_to_json([header]))
    del fields[0]["signals"]
    assert headers_from_json(json.dumps(fields).encode()) == [header]
