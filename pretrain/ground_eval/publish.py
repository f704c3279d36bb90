"""Leaves an evaluation in a folder: figures, a page, pictures, and all of it in TensorBoard."""

import json
from pathlib import Path

from episodes.partial import PartialFile
from pretrain.ground_eval.evaluate import Evaluation, load_model
from pretrain.ground_eval.page import PICTURES, as_markdown
from pretrain.ground_eval.parts import VERBS
from pretrain.verbs import VerbChoices
from pretrain.word_pictures.album import album, captions
from pretrain.word_pictures.board import embeddings_of, save_pictures, scalars_of, show_words


def publish(evaluation: Evaluation, folder: Path) -> str:
    """Write `results.json`, `report.md`, `pictures/` and `tensorboard/`; returns the page."""
    report, scene = evaluation.report, evaluation.scene
    _write(folder / "results.json", json.dumps(report.plain(), indent=1) + "\n")
    verbs = {
        name: choices
        for name, choices in evaluation.parts.get(VERBS, {}).items()
        if isinstance(choices, VerbChoices)
    }
    pictures = album(report, scene, load_model(evaluation.model), verbs)
    save_pictures(pictures, folder / PICTURES)
    page = as_markdown(report, captions(list(pictures)))
    _write(folder / "report.md", page)
    embeddings = {} if scene is None else embeddings_of(scene)
    show_words(folder / "tensorboard", scalars_of(report), pictures, page, embeddings)
    return page


def _write(path: Path, text: str) -> None:
    file = PartialFile(path)
    try:
        file.write(text.encode())
        file.commit()
    finally:
        file.discard()
