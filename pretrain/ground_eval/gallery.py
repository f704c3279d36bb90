"""The pictures of a report."""

from pathlib import Path

from pretrain.ground_eval.evaluate import Evaluation


def draw(evaluation: Evaluation, run: Path) -> dict[str, str]:
    return {}
