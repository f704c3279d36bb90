"""CALVIN's annotations: which sentence is about which frames, and what a wrong one costs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.episodes.formats.calvin.dataset import Calvin
from firsthand.episodes.formats.calvin.language import MAX_FRAMES, load_language, to_language
from tests.helpers.calvin_dataset import annotate, losses


def test_repeated_and_contradictory_annotations_are_told(task):
    rows = [((0, 4), "push it", "push"), ((0, 4), "push it", "push"), ((0, 4), "pull it", "pull")]
    annotate(task / "training", rows)
    listing = Calvin(root=task / "training").listing()
    assert [i.name for i in listing.items] == ["training/0000000-0000003",
                                               "training/0000000-0000003 (2)"]  # fmt: skip
    assert "1 annotations repeat others word for word" in listing.notes[0]
    assert "1 windows have several sentences, 1 of them for different tasks" in listing.notes[1]


def test_windows_outside_and_across_trajectories_are_lost_by_name(task):
    rows = [((4, 8), "across", "a"), ((9, 12), "past", "b"), ((40, 44), "out", "c")]
    annotate(
        task / "training", [*rows, ((3, 3), "no", "d"), ((0, 4), 7, "e"), ((0, 4), "good", "f")]
    )
    listing = Calvin(root=task / "training").listing()
    assert len(listing.items) == 1
    assert dict(listing.lost) == {
        "training/annotation 3": "its window (3, 3) is not first < end <= 10000000",
        "training/annotation 4": "its sentence is 7",
        "training/0000004-0000007": "frame 7 is past the end of its trajectory 0-5",
        "training/0000009-0000011": "frame 11 is past the end of its trajectory 6-9",
        "training/0000040-0000043": "frame 40 is in no trajectory of ep_start_end_ids.npy",
    }


def test_sentences_of_play_that_point_outside_are_lost_alone(task):
    rows = [((4, 8), "across", "a"), ((40, 44), "out", "c"), ((3, 3), "no", "d")]
    rows += [((0, 4), "half \ud83d", "a"), ((0, 4), "zero \0", "b")]
    annotate(task / "training", [*rows, ((0, 4), "good", "f")])
    lost = losses(task / "training", episodes="play")
    assert lost["sentence"] == (1, 5)
    assert lost["frame"][1] == 0


def test_sentences_may_lie_beside_other_embeddings_only(task):
    (task / "training" / "lang_annotations").rename(task / "training" / "lang_BERT")
    listing = Calvin(root=task / "training").listing()
    assert len(listing.items) == 3
    assert listing.notes == ("training: lang_annotations is missing; lang_BERT is read instead",)


def test_annotations_run_no_code(task, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    data = np.empty((), object)
    data[()] = Evil()
    np.save(task / "training/lang_annotations/auto_lang_ann.npy", data, allow_pickle=True)
    listing = Calvin(root=task / "training").listing()
    ((name, reason),) = listing.lost
    assert name == "training/lang_annotations/auto_lang_ann.npy"
    assert "not read for safety" in reason
    assert not (tmp_path / "touched").exists()


JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3))


WINDOW = st.one_of(
    st.tuples(st.integers(-5, 50), st.integers(-5, 50)), JUNK, st.lists(JUNK, max_size=3)
)


@given(st.lists(st.tuples(WINDOW, st.one_of(st.text(max_size=2), JUNK), st.text(max_size=1))))
def test_no_annotation_vanishes(rows):
    language = to_language(rows)
    lost = {int(name.removeprefix("annotation ")) for name, _ in language.lost}
    for number, (window, text, task) in enumerate(rows):
        if number not in lost:
            matching = [(a.first, a.end, a.text, a.task) for a in language.annotations]
            assert matching.count((*window, text.strip(), task)) == 1
    for said in language.annotations:
        assert 0 <= said.first < said.end <= MAX_FRAMES
        assert said.text
    repeats = len(rows) - len(lost) - len(language.annotations)
    assert any(f"{repeats} annotations repeat" in note for note in language.notes) == (repeats > 0)


@pytest.mark.parametrize(
    ("windows", "texts", "tasks", "lost"),
    [(2, 1, 2, 2), (1, 3, 1, 3), (2, 2, 1, 0), (2, 2, 3, 0), (2, 2, None, 0)],
)
def test_lists_of_different_lengths_cost_what_they_say(task, windows, texts, tasks, lost):
    """Which sentence is about which window nobody knows then; tasks are not needed."""
    path = task / "training/lang_annotations/auto_lang_ann.npy"
    table = {
        "language": {"ann": ["a", "b", "c"][:texts], "task": tasks and ["x"] * tasks},
        "info": {"indx": [(0, 4), (1, 5)][:windows]},
    }
    np.save(path, np.array(table, object))
    language = load_language(path)
    counts = f"{windows} windows, {texts} sentences and {tasks or 0} tasks"
    if lost:
        assert not language.annotations
        assert [counts in why for _, why in language.lost] == [True] * lost
    else:
        assert [(said.text, said.task) for said in language.annotations] == [("a", ""), ("b", "")]
        assert language.notes == (f"auto_lang_ann.npy has {counts}, which are not kept",)
    assert len(Calvin(root=task).listing().items) == 1 + len(language.annotations)


def test_what_is_no_table_of_annotations_is_refused(task):
    path = task / "training/lang_annotations/auto_lang_ann.npy"
    np.save(path, np.arange(3))
    with pytest.raises(UserError, match="holds no table of language annotations"):
        load_language(path)
