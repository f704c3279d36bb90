import itertools
import re

import numpy as np
import pytest

from firsthand.envs.tasks.instructions import TRAINING, UNSEEN, VALIDATION, choose
from firsthand.envs.tasks.tasks import TASKS

LIFT = "lift lifted pick picked take taken grab grasp close"
# What one is asked to do in training. Each training sentence has one of these words, and no
# paraphrase of the task has any.
VERBS = {
    "rotate": "rotate rotated turn turned spin",
    "push": "push pushed slide move shift",
    "slider": "slide push move drag",
    "open_drawer": "open opened pull",
    "close_drawer": "close closed push shut",
    "lift": LIFT,
    "place": "put place store",
    "stack": "stack put place",
    "unstack": "unstack take remove stack",
    "turn_lightbulb": "turn switch use push move slide",
    "turn_led": "turn switch press push",
    "push_into": "push slide knock",
}
WITHOUT_VERB = {"lamp on, please", "lamp off, please", "LED on, please", "LED off, please"}


def verbs(task):
    words = task.split("_")
    if words[0] == "turn":
        key = f"turn_{words[-1]}"
    elif task == "push_into_drawer":
        key = "push_into"
    else:
        key = "slider" if words[1] == "slider" else task if task in VERBS else words[0]
    return set(VERBS[key].split())


def words_of(sentence):
    return re.findall(r"[a-z]+", sentence.lower())


def test_every_task_has_enough_sentences():
    assert list(TRAINING) == list(VALIDATION) == list(UNSEEN) == list(TASKS)
    assert all(len(set(sentences)) >= 11 for sentences in TRAINING.values())
    assert all(len(sentences) == 1 for sentences in VALIDATION.values())
    assert all(len(set(sentences)) >= 40 for sentences in UNSEEN.values())


def test_no_sentence_is_used_twice():
    everything = itertools.chain(*TRAINING.values(), *VALIDATION.values(), *UNSEEN.values())
    plain = [" ".join(words_of(sentence)) for sentence in everything]
    assert len(plain) == len(set(plain))
    assert not any("{" in sentence or "  " in sentence for sentence in plain)


@pytest.mark.parametrize("task", TASKS)
def test_paraphrases_ask_with_other_verbs(task):
    for sentence in TRAINING[task]:
        assert verbs(task) & set(words_of(sentence)) or sentence in WITHOUT_VERB, sentence
    for sentence in UNSEEN[task]:
        assert not verbs(task) & set(words_of(sentence)), sentence


@pytest.mark.parametrize("task", TASKS)
def test_validation_uses_words_of_training(task):
    known = set(words_of(" ".join(TRAINING[task])))
    unknown = [word for word in words_of(VALIDATION[task][0]) if word not in known]
    assert len(unknown) <= 1, unknown


@pytest.mark.parametrize("task", TASKS)
def test_sentences_name_what_the_task_is_about(task):
    colours = {"red", "blue", "pink"}
    for sentence in TRAINING[task] + VALIDATION[task] + UNSEEN[task]:
        words = set(words_of(sentence))
        assert words & colours == set(task.split("_")) & colours
        for side, other, clock, otherwise in (
            ("left", "right", "anticlockwise", "clockwise"),
            ("right", "left", "clockwise", "anticlockwise"),
        ):
            if task.endswith(side):
                assert any(word.startswith(side) or word == clock for word in words), sentence
                assert otherwise not in words
                about_angle = "right angle" in sentence
                assert about_angle or not any(word.startswith(other) for word in words), sentence
        assert "bulb" not in task or words & {"bulb", "lamp", "yellow"}, sentence
        assert "led" not in task.split("_") or words & {"led", "diode", "green"}, sentence
        assert "drawer" not in task or "drawer" in words, sentence
        assert "table" not in task or words & {"table", "desk", "tabletop"}, sentence
        if task.endswith("slider") or task.startswith("move_slider"):
            about = {"cabinet", "shelf", "compartment", "door", "panel"}
            assert words & about, sentence


def test_choice_is_reproducible_and_reaches_every_sentence():
    chosen = [choose("open_drawer", "training", np.random.default_rng(i)) for i in range(300)]
    again = [choose("open_drawer", "training", np.random.default_rng(i)) for i in range(300)]
    assert chosen == again
    assert set(chosen) == set(TRAINING["open_drawer"])
    assert choose("open_drawer", "unseen", np.random.default_rng(0)) in UNSEEN["open_drawer"]
    assert (
        choose("open_drawer", "validation", np.random.default_rng(0))
        == (VALIDATION["open_drawer"][0])
    )
