"""Whether a model uses the order of words: two images and two utterances of the same words, as in
Winoground (Thrush et al. 2022)."""

from collections.abc import Callable, Sequence
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


def measure_word_order(
    model: GroundingModel, root: Path, *, links: bool = False
) -> dict[str, Choices]:
    """A model's choices in the trials of the corpus at `root`, by the relation that is reported.

    `text`: for an image, which of the two utterances is true. `image`: for an utterance, of which
    image it is true. A trial's credit is the mean of its two choices, each with a chance of a half;
    a choice between equals counts a half. So a model that ignores word order, or the images, gets
    exactly a half in every trial. Utterances are encoded as in training. Empty without trials.

    Raises:
        UserError: a trial is malformed, an image cannot be read, or the model has no vocabulary.
    """
    resolve = partial(inside, root, links=links)
    path = resolve(FILE)
    if not path.exists():
        return {}
    trials = read_order_trials(path)
    starts = range(0, len(trials), BATCH)
    cosines = torch.cat([_cosines(model, trials[i : i + BATCH], resolve) for i in starts])
    kinds = tuple(trial.kind for trial in trials)
    sides = {"text": cosines, "image": cosines.transpose(1, 2)}
    return {name: Choices(kinds, _credit(side), 0.5) for name, side in sides.items()}


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
