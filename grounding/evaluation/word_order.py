"""Whether a model uses the order of words: two images and two utterances of the same words, as in
Winoground (Thrush et al. 2022)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from firsthand.common.errors import UserError
from firsthand.episodes.untrusted.trust import inside
from firsthand.grounding.evaluation.embeddings import read_pictures
from firsthand.grounding.evaluation.forced_choice import Choices
from firsthand.grounding.evaluation.trials import OrderTrial, read_order_trials
from firsthand.grounding.model import GroundingModel
from firsthand.policy.modules.image_encoder import imagenet_normalised, to_unit

FILE = "eval_word_order.json"
TIE = 1e-5  # cosines this near are one: sums of the same numbers in another order differ as much
BATCH = 32  # trials at a time


@dataclass(frozen=True)
class OrderFigures:
    """What a model chose, by the kind of relation that is told.

    `text`: of a picture, which of the two utterances is true. `image`: of an utterance, which of
    the two pictures it tells of. A trial's credit is the mean of its two choices, each of which has
    a chance of a half; a choice between equals counts a half. So whoever hears no order, or sees
    nothing, gets exactly a half in every trial.
    """

    text: Choices
    image: Choices


def measure_order(model: GroundingModel, root: Path, *, links: bool = False) -> OrderFigures | None:
    """The trials of the corpus at `root`, utterances encoded as in training; None if it has none.

    Raises:
        UserError: a trial is malformed, a picture cannot be read, or the model has no vocabulary.
    """
    at = partial(inside, root, links=links)
    path = at(FILE)
    if not path.exists():
        return None
    trials = read_order_trials(path)
    cosines = torch.cat(
        [
            _cosines(model, trials[start : start + BATCH], at)
            for start in range(0, len(trials), BATCH)
        ]
    )
    kinds = tuple(trial.kind for trial in trials)
    return OrderFigures(
        Choices(kinds, _credit(cosines), 0.5),
        Choices(kinds, _credit(cosines.transpose(1, 2)), 0.5),
    )


@torch.no_grad()
def _cosines(
    model: GroundingModel, trials: Sequence[OrderTrial], at: Callable[[str], Path]
) -> Float[Tensor, "n 2 2"]:
    """Of every trial's pictures (rows) with its utterances (columns)."""
    model.eval()
    if model.vocabulary is None:
        raise UserError("the model has no vocabulary: load it with CVCL's vocab.json")
    device, size = model.project.weight.device, model.config.vision.size
    pixels = read_pictures([at(name) for t in trials for name in t.images], size, False)
    images = imagenet_normalised(to_unit(pixels.to(device)))
    texts = [text for trial in trials for text in trial.utterances]
    tokens, lengths = model.vocabulary.encode(texts, length=model.config.utterance.length)
    found = model.compare(images, tokens.to(device), lengths.to(device)) / model.scale
    n = torch.arange(len(trials), device=device)
    return found.unflatten(1, (-1, 2)).unflatten(0, (-1, 2))[n, :, n].float().cpu()


def _credit(cosines: Float[Tensor, "n 2 2"]) -> tuple[float, ...]:
    """Of each row's two columns, how often the one on the diagonal is nearer."""
    lead = torch.stack(
        [cosines[:, 0, 0] - cosines[:, 0, 1], cosines[:, 1, 1] - cosines[:, 1, 0]], dim=1
    )
    right = torch.where(lead.abs() <= TIE, 0.5, (lead > 0).float())
    return tuple(right.mean(dim=1).tolist())
