"""Writes an evaluation to a folder: metrics, a page, figures, and all of it for TensorBoard."""

import json
from pathlib import Path

from firsthand.common.atomic import write_text
from firsthand.grounding.evaluation.evaluate import Evaluation, load_model
from firsthand.grounding.evaluation.verbs import VerbChoices
from firsthand.grounding.report.figures import captions, draw_figures
from firsthand.grounding.report.markdown import PICTURES, as_markdown
from firsthand.grounding.report.sections import VERBS
from firsthand.grounding.report.tensorboard import (
    embeddings_of,
    save_images,
    scalars_of,
    write_tensorboard,
)


def publish(evaluation: Evaluation, folder: Path) -> str:
    """Write `results.json`, `report.md`, `pictures/` and `tensorboard/`; returns the page."""
    report, scene = evaluation.report, evaluation.scene
    write_text(folder / "results.json", json.dumps(report.as_json(), indent=1) + "\n")
    verbs = {
        name: choices
        for name, choices in evaluation.parts.get(VERBS, {}).items()
        if isinstance(choices, VerbChoices)
    }
    figures = draw_figures(report, scene, load_model(evaluation.model), verbs)
    save_images(figures, folder / PICTURES)
    page = as_markdown(report, captions(list(figures)))
    write_text(folder / "report.md", page)
    embeddings = {} if scene is None else embeddings_of(scene)
    write_tensorboard(folder / "tensorboard", scalars_of(report), figures, page, embeddings)
    return page
