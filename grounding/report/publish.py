"""Leaves an evaluation in a folder: figures, a page, pictures, and all of it in TensorBoard."""

import json
from pathlib import Path

from firsthand.common.atomic import write_text
from firsthand.grounding.evaluation.evaluate import Evaluation, load_model
from firsthand.grounding.evaluation.verbs import VerbChoices
from firsthand.grounding.report.figures import album, captions
from firsthand.grounding.report.markdown import PICTURES, as_markdown
from firsthand.grounding.report.sections import VERBS
from firsthand.grounding.report.tensorboard import (
    embeddings_of,
    save_pictures,
    scalars_of,
    show_words,
)


def publish(evaluation: Evaluation, folder: Path) -> str:
    """Write `results.json`, `report.md`, `pictures/` and `tensorboard/`; returns the page."""
    report, scene = evaluation.report, evaluation.scene
    write_text(folder / "results.json", json.dumps(report.plain(), indent=1) + "\n")
    verbs = {
        name: choices
        for name, choices in evaluation.parts.get(VERBS, {}).items()
        if isinstance(choices, VerbChoices)
    }
    pictures = album(report, scene, load_model(evaluation.model), verbs)
    save_pictures(pictures, folder / PICTURES)
    page = as_markdown(report, captions(list(pictures)))
    write_text(folder / "report.md", page)
    embeddings = {} if scene is None else embeddings_of(scene)
    show_words(folder / "tensorboard", scalars_of(report), pictures, page, embeddings)
    return page
