"""Two things told of at once: true of what is seen, and nothing else is changed by it."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firsthand.synthetic.home.camera.view import HeadCamera, HomeFrame
from firsthand.synthetic.home.language.phrases import RELATIONS
from firsthand.synthetic.home.language.relations import phrases, relate, together
from firsthand.synthetic.home.language.speech import Moment, named
from firsthand.synthetic.home.recording import record_home
from firsthand.synthetic.home.test_sets import word_order as order
from firsthand.synthetic.home.test_sets.word_order import make_word_order_trials
from firsthand.synthetic.home.world.nouns import Thing

BALL, CAR, BEAR = (
    Thing(noun, color, "", (), 0.1, 0.1)
    for noun, color in (("ball", "red"), ("car", "blue"), ("bear", ""))
)


def view(shares: list[float], distances: list[float]) -> HomeFrame:
    return HomeFrame(np.zeros((2, 2, 3), np.uint8), np.array(shares), np.array(distances))


def test_things_are_together_while_both_are_in_view() -> None:
    one = view([0.2, 0.1, 0.0], [1.0, 2.0, 0.5])
    other = view([0.2, 0.0, 0.3], [1.0, 1.2, 2.0])
    assert together([one]) == {(0, 1): True}
    assert together([other]) == {(0, 2): True}
    assert together([one, replace(other, shares=one.shares)]) == {(0, 1): False}  # not all the time
    turns = [view([0.2, 0.0], [1.0, 2.0]), view([0.0, 0.2], [1.0, 2.0])]
    assert together(turns) == {}


def test_words_say_which_is_which() -> None:
    assert phrases(BALL, CAR, True) == {
        "in front of": ("ball", "car"),
        "behind": ("car", "ball"),
        "colors": ("red ball", "blue car"),
    }
    assert set(phrases(BALL, BEAR, True)) == {"in front of", "behind"}
    assert phrases(BALL, BEAR, False) == phrases(BALL, replace(CAR, color="red"), False) == {}


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_share_of_what_names_tells_relations(share: float) -> None:
    things = (BALL, CAR, BEAR)
    moment = Moment({0: 0.1, 1: 0.1}, {}, 0, "", {(0, 1): True})
    words = ["look at the ball .", "push the ball .", "yeah .", "where 's the bear ?"] * 100
    told = relate(words, [moment] * 400, things, share, np.random.default_rng(0))
    changed = [i for i in range(400) if told[i] != words[i]]
    assert all(i % 4 == 0 for i in changed)  # no deed, no talk of other things
    assert len(changed) == min(share * 200, 100)
    kinds = Counter(next(k for k in RELATIONS if _kind(told[i]) == k) for i in changed)
    assert set(kinds) == (set(RELATIONS) if share else set())
    for text in (told[i] for i in changed):
        found = [word for word in text.split() if word in ("ball", "car")]
        if _kind(text) != "colors":
            assert found == (["ball", "car"] if _kind(text) == "in front of" else ["car", "ball"])
        else:
            assert "red ball" in text
            assert "blue car" in text


def _kind(text: str) -> str:
    return next((kind for kind in ("in front of", "behind") if kind in text), "colors")


def test_relations_change_no_other_word_and_no_picture() -> None:
    plain, related = (list(record_home(5, 2, 40.0, 16, 0.9, share)) for share in (0.0, 1.0))
    changed = 0
    for one, other in zip(plain, related, strict=True):
        assert one.jpegs == other.jpegs
        assert one.in_view == other.in_view
        if one.row != other.row:
            changed += 1
            assert len(named(other.row.utterance) & set(other.in_view)) == 2
            assert re.search("in front of|behind| and ", other.row.utterance)
    assert changed > 2


def test_foils_are_the_same_words_and_true_of_the_other_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Judged anew by the things' distances and colours in the frames that were drawn."""
    drawn: list[tuple[HeadCamera, HomeFrame]] = []
    draw = HeadCamera.draw

    def watched(camera: HeadCamera, frame: int) -> HomeFrame:
        drawn.append((camera, draw(camera, frame)))
        return drawn[-1][1]

    monkeypatch.setattr(HeadCamera, "draw", watched)
    monkeypatch.setattr(order, "encode_jpeg", lambda rgb, _: rgb.tobytes())
    monkeypatch.setattr(order, "ACTIVITIES", 250)
    monkeypatch.setattr(order, "BOTH", 0.01)
    order.order_folder(tmp_path, order.PAIRS[0]).mkdir(parents=True)
    trials = make_word_order_trials(2, 32, 10, tmp_path, 0)
    assert trials == json.loads(json.dumps(trials))
    assert {trial["kind"] for trial in trials} == set(RELATIONS)
    for trial in trials:
        for picture, text, foil in zip(
            trial["img_filenames"], trial["utterances"], trial["utterances"][::-1], strict=True
        ):
            assert sorted(text.split()) == sorted(foil.split())
            assert text != foil
            stored = (tmp_path / picture).read_bytes()
            camera, seen = next(item for item in drawn if item[1].rgb.tobytes() == stored)
            things = {thing.noun: i for i, thing in enumerate(camera.scene.things)}
            first, second = (things[word] for word in text.split() if word in trial["nouns"])
            assert min(seen.shares[first], seen.shares[second]) >= 0.01
            if trial["kind"] == "colors":
                called = [f"the {camera.scene.things[i].color} {camera.scene.things[i].noun}"
                          for i in (first, second)]  # fmt: skip
                assert all(name in text for name in called)
                assert not any(name in foil for name in called)
            else:
                near, far = (first, second)[:: 1 if trial["kind"] == "in front of" else -1]
                assert seen.distances[far] >= 1.3 * seen.distances[near]
