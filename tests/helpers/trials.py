"""Trials of forced choice, drawn at random and written as CVCL has them."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from firsthand.grounding.evaluation.trials import COLUMNS, ForcedChoiceTrial


def make_trials(
    pictures: Mapping[str, Sequence[str]], *, choices: int = 4, each: int = 100, seed: int = 0
) -> list[ForcedChoiceTrial]:
    """`each` trials for every category; targets, foils' categories and foils are drawn at random.

    Raises:
        ValueError: there are fewer categories than choices, or one without pictures.
    """
    if not 2 <= choices <= len(pictures):
        raise ValueError(f"{len(pictures)} categories do not make {choices} choices")
    if empty := [category for category, names in pictures.items() if not names]:
        raise ValueError(f"there is no picture of {empty[0]}")
    random = np.random.default_rng(seed)
    trials = []
    for category in sorted(pictures):
        others = sorted(set(pictures) - {category})
        for _ in range(each):
            foils = random.choice(len(others), choices - 1, replace=False)
            shown = (category, *(others[foil] for foil in foils))
            images = (pictures[name][int(random.integers(len(pictures[name])))] for name in shown)
            trials.append(ForcedChoiceTrial(category, shown, tuple(images)))
    return trials


def write_trials(path: str | Path, trials: Sequence[ForcedChoiceTrial]) -> None:
    """A `.json` or `.csv` file of the same trials."""
    path = Path(path)
    if path.suffix == ".csv":
        file = io.StringIO(newline="")
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for number, trial in enumerate(trials):
            for category, image in zip(trial.categories, trial.images, strict=True):
                table.writerow((number, trial.word, category, image))
        text = file.getvalue()
    else:
        text = json.dumps({"data": _rows(trials)})
    path.write_text(text)


def _rows(trials: Sequence[ForcedChoiceTrial]) -> list[dict[str, Any]]:
    """Numbered within their category, as upstream's are."""
    counts: dict[str, int] = {}
    rows = []
    for trial in trials:
        number = counts[trial.word] = counts.get(trial.word, -1) + 1
        rows.append({
            "trial_num": number,
            "target_category": trial.word,
            "target_img_filename": trial.images[0],
            "foil_categories": list(trial.categories[1:]),
            "foil_img_filenames": list(trial.images[1:]),
        })  # fmt: skip
    return rows
