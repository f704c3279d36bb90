"""Whether a model uses the order of words: two images and two utterances of the same words, as in
Winoground (Thrush et al. 2022)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.episodes.untrusted.trust import inside
from firsthand.grounding.evaluation.embeddings import read_images
from firsthand.grounding.evaluation.forced_choice import Choices
from firsthand.grounding.evaluation.trials import OrderTrial, read_order_trials
from firsthand.grounding.image_encoder import model_input
from firsthand.grounding.model import GroundingModel, vocabulary_of

FILE = "eval_word_order.json"
TIE = 1e-5  # cosines that differ by less are equal: so much does the order of summation change
BATCH = 32  # trials at a time


@dataclass(frozen=True)
class OrderChoices:
    """A model's choices, by the kind of relation that an utterance reports.

    A trial's credit is the mean of its two choices, each of which has a chance of a half; a choice
    between equals counts a half. So a model that ignores word order, or the images, gets exactly a
    half in every trial.
    """

    text: Choices
    """For an image, which of the two utterances is true."""
    image: Choices
    """For an utterance, of which of the two images it is true."""


def measure_word_order(
    model: GroundingModel, root: Path, *, links: bool = False
) -> OrderChoices | None:
    """The trials of the corpus at `root`, utterances encoded as in training; None if it has none.

    Raises:
        UserError: a trial is malformed, an image cannot be read, or the model has no vocabulary.
    """
    resolve = partial(inside, root, links=links)
    path = resolve(FILE)
    if not path.exists():
        return None
    trials = read_order_trials(path)
    cosines = torch.cat(
        [
            _cosines(model, trials[start : start + BATCH], resolve)
            for start in range(0, len(trials), BATCH)
        ]
    )
    kinds = tuple(trial.kind for trial in trials)
    return OrderChoices(
        Choices(kinds, _credit(cosines), 0.5),
        Choices(kinds, _credit(cosines.transpose(1, 2)), 0.5),
    )


@torch.no_grad()
def _cosines(
    model: GroundingModel, trials: Sequence[OrderTrial], resolve: Callable[[str], Path]
) -> Float[Tensor, "n 2 2"]:
    """Cosines of every trial's images (rows) with its utterances (columns)."""
    model.eval()
    vocabulary = vocabulary_of(model)
    device, size = model.project.weight.device, model.config.vision.size
    pixels = read_images([resolve(name) for t in trials for name in t.images], size, False)
    images = model_input(pixels.to(device))
    texts = [text for trial in trials for text in trial.utterances]
    tokens, lengths = vocabulary.encode(texts, length=model.config.utterance.length)
    cosines = model.compare(images, tokens.to(device), lengths.to(device)) / model.scale
    n = torch.arange(len(trials), device=device)
    return cosines.unflatten(1, (-1, 2)).unflatten(0, (-1, 2))[n, :, n].float().cpu()


def _credit(cosines: Float[Tensor, "n 2 2"]) -> tuple[float, ...]:
    """For each trial the mean of two choices, each 1 if the diagonal has the larger cosine."""
    lead = torch.stack(
        [cosines[:, 0, 0] - cosines[:, 0, 1], cosines[:, 1, 1] - cosines[:, 1, 0]], dim=1
    )
    right = torch.where(lead.abs() <= TIE, 0.5, (lead > 0).float())
    return tuple(right.mean(dim=1).tolist())
