import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from firsthand.grounding.vocabulary import SPECIAL, UNKNOWN, Vocabulary, tokenised

WORDS = Vocabulary((*SPECIAL, "look", "ball", "the"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Look at the ball.", "look at the ball ."),
        ("Don't, it's hers!", "do n't , it 's hers !"),
        ("I can't. We're gonna go", "i ca n't . we 're gon na go"),
        ("you cannot, you've got it", "you can not , you 've got it"),
        ("peek-a-boo... no -- yes", "peek - a - boo ... no -- yes"),
        ("that’s  purée\t3", "that ’s purée 3"),
        ("<unk> ok", "<unk> ok"),
        ("", ""),
    ],
)
def test_text_is_cut_up_as_the_corpora_are(text, wanted):
    assert tokenised(text) == wanted


@given(st.text())
def test_what_is_cut_up_stays_so_and_nothing_is_lost(text):
    once = tokenised(text)
    assert "".join(once.split()) == "".join(text.lower().split())
    assert tokenised(once) == once


def test_rows_are_padded_to_the_longest():
    tokens, lengths = WORDS.encode(["look", "look the cat", "ball"])
    assert tokens.tolist() == [[2, 4, 3, 0, 0], [2, 4, 6, UNKNOWN, 3], [2, 5, 3, 0, 0]]
    assert lengths.tolist() == [3, 5, 3]
    assert tokens.dtype == lengths.dtype == torch.int64
    assert WORDS.encode(["ball"], ends=False)[0].tolist() == [[5]]


@given(st.lists(st.sampled_from(["look", "ball", "the", "cat"]), min_size=1, max_size=40))
def test_a_length_is_that_of_the_tokens(words):
    """Upstream once counted letters."""
    tokens, lengths = WORDS.encode([" ".join(words)])
    assert lengths.tolist() == [min(len(words), 23) + 2] == [tokens.shape[1]]
    assert (tokens[0, 0], tokens[0, -1]) == (2, 3)
    _, lengths = WORDS.encode([" ".join(words)], ends=False, length=7)
    assert lengths.tolist() == [min(len(words), 7)]


def test_a_vocabulary_is_kept_as_upstream_keeps_it(tmp_path):
    path = tmp_path / "vocab.json"
    WORDS.write(path)
    assert json.loads(path.read_text()) == dict(zip(WORDS.words, range(7), strict=True))
    assert Vocabulary.read(path) == WORDS
    mixed = dict(reversed(json.loads(path.read_text()).items()))
    path.write_text(json.dumps(mixed))
    assert Vocabulary.read(path) == WORDS
    assert "ball" in WORDS
    assert "cat" not in WORDS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "is not JSON"),
        ("[1]", "holds no table"),
        ('{"a": 0}', "begins with"),
        ('{"<pad>": 0, "<unk>": 2}', "does not number its 2 words from 0 on"),
        ('{"<pad>": 0, "<unk>": "x"}', "does not number its 2 words from 0 on"),
        ('{"<pad>": 0, "<unk>": 0}', "does not number its 2 words from 0 on"),
    ],
)
def test_a_damaged_file_is_named(content, message, tmp_path):
    path = tmp_path / "vocab.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"vocab\.json.*{message}"):
        Vocabulary.read(path)


def test_what_is_no_vocabulary_or_utterance_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds 'a' twice"):
        Vocabulary((*SPECIAL, "a", "a"))
    with pytest.raises(ValueError, match="there is no file"):
        Vocabulary.read(tmp_path / "vocab.json")
    with pytest.raises(ValueError, match="utterance 1 of 2 is empty"):
        WORDS.encode(["ball", " "], ends=False)
