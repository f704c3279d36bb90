import pytest
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.episodes.text.clean_narration import (
    NarrationFilter,
    Sentence,
    basic_form,
    clean,
    hands_in,
    verb_of,
    without_repeats,
)


@pytest.mark.parametrize(
    ("narration", "text", "subject", "unsure"),
    [
        ("#C C picks up a knife.", "picks up a knife", "wearer", False),
        ("#c c  Washes the   plate ", "Washes the plate", "wearer", False),
        ("# C C looks around", "looks around", "wearer", False),
        ("#C looks around", "looks around", "wearer", False),
        ("#C C picks a #unsure from the table", "picks a something from the table", "wearer", True),
        ("#C C opens the #Unsure.", "opens the something", "wearer", True),
        ("#unsure C holds a pen", "C holds a pen", "", True),
        ("#O A man X gives C the cup", "A man gives C the cup", "other", False),
        ("#o the lady B talks to C", "the lady talks to C", "other", False),
        ("#O person Y #unsure", "person something", "other", True),
        ("#summary C was in the kitchen.", "was in the kitchen", "summary", False),
        ("#C C", "", "wearer", False),
        ("#C C's hand moves", "C's hand moves", "wearer", False),
        ("put down plate", "put down plate", "", False),
        ("#OO a man walks", "a man walks", "other", False),
        ("#OOpoints at the park", "points at the park", "other", False),
        ("#CC picks a cup", "picks a cup", "wearer", False),
        ("#cC picks a cup", "picks a cup", "wearer", False),
        ("#CCcloses the door", "closes the door", "wearer", False),
        ("#C C picks #unsurefrom the shelf", "picks something from the shelf", "wearer", True),
        ("#C C picks #Unssure", "picks something", "wearer", True),
        ("#C C picks #unknown from a box", "picks something from a box", "wearer", True),
        ("#C C picks a #Unsured", "picks a something", "wearer", True),
        ("#unsure", "", "", True),
        ("#C C picks up a cup ,", "picks up a cup", "wearer", False),
        ("#C C picks, then opens it.,", "picks, then opens it", "wearer", False),
        ("#C- C, picks", "picks", "wearer", False),
        ("#C c-clamp is picked", "c-clamp is picked", "wearer", False),
        ("#C C talks to #O a woman", "talks to a woman", "wearer", False),
        ("#C C stops the #coocoo clock", "stops the clock", "wearer", False),
        ("", "", "", False),
    ],
)
def test_marks_are_understood(narration, text, subject, unsure):
    assert clean(narration) == Sentence(text, subject, unsure)


@pytest.mark.parametrize(
    ("text", "subject", "verb"),
    [
        ("picks up a knife", "wearer", "pick"),
        ("washes, then dries it", "wearer", "wash"),
        ("carries a box", "wearer", "carry"),
        ("ties the rope", "wearer", "tie"),
        ("presses a button", "wearer", "press"),
        ("puts it back", "wearer", "put"),
        ("has a look", "wearer", "have"),
        ("a man walks away", "other", "walk"),
        ("The old woman talks to C", "other", "talk"),
        ("man mixes cement", "other", "mix"),
        ("", "wearer", ""),
    ],
)
def test_verbs(text, subject, verb):
    assert verb_of(text, subject) == verb


@pytest.mark.parametrize(
    ("text", "hands"),
    [
        ("picks up a cup with both hands", 2),
        ("lifts it with two hands", 2),
        ("passes it from the left hand to the right hand", 2),
        ("moves the cup with his right hand", 1),
        ("bends her fingers", 1),
        ("handles the machine", 0),
        ("picks both cups", 0),
    ],
)
def test_hands(text, hands):
    assert hands_in(text) == hands


def accepted(narrations, **settings):
    chosen = NarrationFilter(**settings)
    return [text for text in narrations if chosen.accepts(clean(text))]


def test_filters():
    said = [
        "#C C picks up a cup with his hand",
        "#C C puts the cup down",
        "#C C holds it with both hands",
        "#O A man X picks a ball",
        "#C C",
    ]
    assert accepted(said) == said[:4]
    assert accepted(said, verbs=("pick",)) == [said[0], said[3]]
    assert accepted(said, hands="mentioned") == [said[0], said[2]]
    assert accepted(said, hands="both") == [said[2]]
    assert accepted(said, fewest_words=5) == [said[0], said[2], said[3]]
    assert accepted(said, most_words=4) == [said[1]]
    assert NarrationFilter(verbs=("put",)).accepts(clean("take off lid"), "put")
    for bad in ({"fewest_words": -1}, {"fewest_words": 3, "most_words": 2}):
        with pytest.raises(UserError, match="0 <= fewest_words <= most_words"):
            NarrationFilter(**bad).check_filter()


def test_what_is_said_twice_counts_once():
    said = [(5.0, "B"), (0.0, "a"), (0.6, "A"), (0.9, "b"), (1.1, "a"), (5.5, "b")]
    kept = without_repeats(said, lambda s: s[1], lambda s: s[0], 1.0)
    assert kept == [(0.0, "a"), (0.9, "b"), (1.1, "a"), (5.0, "B")]
    assert len(without_repeats(said, lambda s: s[1], lambda s: s[0], 0.0)) == 6


@given(st.text(st.sampled_from("#cCoOxX unsremay.'"), max_size=30))
def test_cleaning_leaves_plain_text_and_nothing_more_to_clean(narration):
    sentence = clean(narration)
    assert sentence.text == " ".join(sentence.text.split())
    assert not sentence.unsure or "u" in narration.lower()
    verb_of(sentence.text, sentence.subject)
    hands_in(sentence.text)


@given(st.from_regex(r"[a-z]{1,8}", fullmatch=True))
def test_basic_forms_stay_what_they_are(verb):
    assert basic_form(verb + "ing") == verb + "ing"
    if not verb.endswith(("s", "x", "z", "h", "y", "i", "e", "o")):
        assert basic_form(verb + "s") == verb or verb + "s" in ("is", "has") or len(verb) < 2
