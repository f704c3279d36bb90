"""How people may ask for each of the 34 tasks.

`TRAINING` holds sentences to learn from. `VALIDATION` has one other sentence a task, in familiar
words, as CALVIN's long-horizon evaluation has (Mees et al. 2022). `UNSEEN` are paraphrases that ask
with other verbs: whoever follows them has understood more than the words that were trained. All
sentences are the project's own, and no sentence is used twice.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import yaml

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
    return sentence.format(colour=colour, side=side, clock=CLOCK.get(side, ""))


def _all_tasks(wording: Wording) -> dict[str, tuple[str, ...]]:
    """Every task's sentences, from those of every kind of task in sentences/WORDING.yaml."""
    text = (Path(__file__).parent / "sentences" / f"{wording}.yaml").read_text()
    sentences: Mapping[str, Sequence[str]] = yaml.safe_load(text)
    return {task: tuple(_spell(line, task) for line in sentences[_kind(task)]) for task in TASKS}


TRAINING = _all_tasks("training")
VALIDATION = _all_tasks("validation")
UNSEEN = _all_tasks("unseen")


_SENTENCES = {"training": TRAINING, "validation": VALIDATION, "unseen": UNSEEN}


def choose(task: str, wording: Wording, rng: np.random.Generator) -> str:
    """A sentence that asks for a task, drawn at random where there are several.

    Raises:
        KeyError: there is no such task or wording.
    """
    sentences = _SENTENCES[wording][task]
    return sentences[rng.integers(len(sentences))]
