"""How people may ask for each of the 34 tasks.

`TRAINING` holds sentences to learn from. `VALIDATION` has one other sentence a task, in familiar
words, as CALVIN's long-horizon evaluation has (Mees et al. 2022). `UNSEEN` are paraphrases that ask
with other verbs: whoever follows them has understood more than the words that were trained. All
sentences are the project's own, and no sentence is used twice.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from firsthand.envs.tasks.sentences import training
from firsthand.envs.tasks.sentences import unseen_any_block as any_block
from firsthand.envs.tasks.sentences import unseen_blocks as blocks
from firsthand.envs.tasks.sentences import unseen_fixtures as fixtures
from firsthand.envs.tasks.sentences import unseen_lights as lights
from firsthand.envs.tasks.tasks import TASKS

Wording = Literal["training", "validation", "unseen"]

CLOCK = {"left": "anticlockwise", "right": "clockwise"}


def _kind(task: str) -> str:
    """The name under which sentences for a task are kept: tasks that differ in colour or side
    alone share them."""
    words = task.split("_")
    if words[0] in ("rotate", "push") and "block" in words:
        return words[0]
    if words[0] == "lift":
        return f"lift_{words[-1]}"
    return "slider" if words[1] == "slider" else task


def _spell(sentence: str, task: str) -> str:
    """A sentence with the task's colour and side filled in."""
    words = task.split("_")
    side = words[-1] if words[-1] in CLOCK else ""
    colour = words[1] if "block" in words else ""
    return sentence.strip().format(colour=colour, side=side, clock=CLOCK.get(side, ""))


def _all_tasks(sentences: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Every task's sentences, from one sentence a line for every kind of task."""
    return {
        task: tuple(_spell(line, task) for line in sentences[_kind(task)].strip().splitlines())
        for task in TASKS
    }


TRAINING = _all_tasks(training.TRAINING)
VALIDATION = _all_tasks(training.VALIDATION)
UNSEEN = _all_tasks(any_block.UNSEEN | blocks.UNSEEN | fixtures.UNSEEN | lights.UNSEEN)


_SENTENCES = {"training": TRAINING, "validation": VALIDATION, "unseen": UNSEEN}


def choose(task: str, wording: Wording, rng: np.random.Generator) -> str:
    """A sentence that asks for a task, drawn at random where there are several.

    Raises:
        KeyError: there is no such task or wording.
    """
    sentences = _SENTENCES[wording][task]
    return sentences[rng.integers(len(sentences))]
