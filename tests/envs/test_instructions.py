import itertools
import re

import numpy as np
import pytest

from envs.instructions import HELD_OUT, TRAINING, choose
from envs.tasks import TASKS


def test_every_task_has_enough_sentences():
    assert set(TRAINING) == set(HELD_OUT) == set(TASKS)
    assert all(len(set(sentences)) >= 11 for sentences in TRAINING.values())
    assert all(len(set(sentences)) >= 3 for sentences in HELD_OUT.values())


def test_no_sentence_is_used_twice():
    everything = itertools.chain(*TRAINING.values(), *HELD_OUT.values())
    plain = [re.sub(r"[^a-z ]", "", sentence.lower()) for sentence in everything]
    assert len(plain) == len(set(plain))


@pytest.mark.parametrize("task", TASKS)
def test_sentences_name_what_the_task_is_about(task):
    colours = {"red", "blue", "pink"}
    for sentence in TRAINING[task] + HELD_OUT[task]:
        words = set(re.findall(r"[a-z]+", sentence.lower()))
        assert words & colours == set(task.split("_")) & colours
        for side, other in (("left", "right"), ("right", "left")):
            if task.endswith(side) and not task.startswith("move_slider"):
                assert any(word.startswith(side) for word in words)
                assert not any(word.startswith(other) for word in words)
        assert "bulb" not in task or words & {"bulb", "lamp", "yellow"}
        assert "led" not in task.split("_") or words & {"led", "diode", "green"}
        assert "drawer" not in task or "drawer" in words


def test_choice_is_reproducible_and_reaches_every_sentence():
    chosen = [choose("open_drawer", "training", np.random.default_rng(i)) for i in range(300)]
    again = [choose("open_drawer", "training", np.random.default_rng(i)) for i in range(300)]
    assert chosen == again
    assert set(chosen) == set(TRAINING["open_drawer"])
    assert choose("open_drawer", "held_out", np.random.default_rng(0)) in HELD_OUT["open_drawer"]
