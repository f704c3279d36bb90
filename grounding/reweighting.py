"""Training on pairs weighted by the posterior that the utterance is about its frame.

Most utterances that a child hears are about nothing in view; such pairs are label noise. The
recordings are split into halves; a model trained on one half scores the pairs of the other, so that
no pair is scored by a model that has memorised it (cross-fitting). The score is the rank of an
utterance's own frames among others' frames, which is uniform for utterances about something else. A
two-groups model with words as covariates (local false discovery rates, Efron 2008; Scott et al.
2015) turns ranks into posteriors. The final model draws pairs in proportion to them.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from firsthand.common.atomic import write_json
from firsthand.common.errors import UserError
from firsthand.episodes.sampling.order import split_names
from firsthand.episodes.untrusted.trust import load_json
from firsthand.grounding.image_encoder import model_input
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.pairs import Pairs
from firsthand.grounding.train import GroundConfig, GroundResult, ground, open_pairs
from firsthand.training.distributed import init_distributed
from firsthand.training.precision import MixedPrecision

WEIGHTS = "weights.json"
_GROUP = 256  # utterances among whose frames an utterance's own are ranked
_FLOOR = 0.02  # added to every posterior, so that every utterance is drawn sometimes
_DRAWS = 3  # frames of an utterance that are scored


def ground_weighted(
    config: GroundConfig, root: Path, run_dir: Path, *, resume: bool = False
) -> GroundResult:
    """As `ground`, with weights (`weights.json`) from two models of half the steps (in `half_0` and
    `half_1`). Runs that are killed resume in the same way.

    Raises:
        UserError: as for `ground`, and if the corpus has a single recording.
    """
    path = run_dir / WEIGHTS
    if resume and path.exists():
        weights = np.array(load_json(path), dtype=np.float64)
    else:
        weights = _cross_fitted(config, root, run_dir, resume)
        with init_distributed(config.training.threads) as team:
            if team.is_main:
                write_json(path, weights.tolist())
            team.wait()
    return ground(config, root, run_dir, weights=weights, resume=resume)


def halves(pairs: Pairs, seed: int) -> Bool[np.ndarray, " n"]:
    """Which pairs belong to the first half of the recordings.

    Raises:
        UserError: there is a single recording.
    """
    videos = sorted({row.video_filename for row in pairs.utterances})
    if len(videos) < 2:
        raise UserError(f"{pairs.folder}: weighing pairs takes 2 recordings or more, here is 1")
    kinds = dict(zip(videos, split_names(len(videos), 0.5, seed), strict=True))
    return np.array([kinds[row.video_filename] == "train" for row in pairs.utterances])


@torch.no_grad()
def ranks(
    model: GroundingModel, pairs: Pairs, indices: Int[np.ndarray, " n"], arithmetic: MixedPrecision
) -> Float64[np.ndarray, " n"]:
    """For each utterance the share of others' frames that score below its own; within (0, 1).

    The score is the pointwise mutual information, so that neither frames similar to all utterances
    nor utterances similar to all frames are favoured; the mean over `_DRAWS` frames of each
    utterance.
    """
    found = np.zeros(len(indices))
    order = np.random.default_rng(0).permutation(len(indices))
    for group in np.array_split(order, max(1, round(len(indices) / _GROUP))):
        draws = [_information(model, pairs, indices[group], i, arithmetic) for i in range(_DRAWS)]
        information = torch.stack(draws).mean(dim=0)
        own = information.diagonal()
        below = (information < own).sum(dim=0) + 0.5 * ((information == own).sum(dim=0) - 1)
        found[group] = ((below + 0.5) / len(group)).double().cpu().numpy()
    return found


def posterior(
    ranks: Float64[np.ndarray, " n"], tokens: Int[Tensor, "n l"], words: int
) -> Float64[np.ndarray, " n"]:
    """The posterior that an utterance is about its frames, given its rank and its words.

    Ranks are uniform if it is not, and of density a r^(a - 1) if it is. The prior is a logistic
    function of the utterance's words, with a coefficient for each. All is fitted by maximum
    likelihood, the coefficients under a standard normal prior. a is at least 2: nearly uniform
    ranks, those of poor models, would otherwise be fitted by a near 1 and nearly every posterior be
    large.

    tokens: padded with 0. words: size of the vocabulary.
    """
    log = torch.from_numpy(ranks).log()
    # one coefficient a word, then the constant and a
    coefficients = torch.zeros(words + 2, dtype=torch.float64)
    coefficients[-2:] = torch.tensor([-1.0, 1.0])
    coefficients.requires_grad_()
    optimizer = torch.optim.LBFGS([coefficients], max_iter=200, line_search_fn="strong_wolfe")

    def parts() -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        prior = coefficients[-2] + (coefficients[:-2][tokens] * (tokens > 0)).sum(dim=1)
        excess = 1 + F.softplus(coefficients[-1])  # a - 1
        return F.logsigmoid(prior) + excess.log1p() + excess * log, F.logsigmoid(-prior)

    def closure() -> Float[Tensor, ""]:
        optimizer.zero_grad()
        loss = (coefficients[:-2] ** 2).sum() / 2 - torch.logaddexp(*parts()).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        about, other = parts()
        return torch.sigmoid(about - other).numpy()


def _cross_fitted(
    config: GroundConfig, root: Path, run_dir: Path, resume: bool
) -> Float64[np.ndarray, " n"]:
    """The weight of every pair, from the model that was trained on the other half."""
    training = replace(config.training, steps=max(1, config.training.steps // 2))
    halved = replace(config, training=training)
    pairs = open_pairs(config, root, config.pairs.unaugmented(frame_anew=True), config.learned)
    first_half = halves(pairs, config.training.seed)
    found = np.zeros(len(pairs))
    for number, half in enumerate((first_half, ~first_half)):
        result = ground(
            halved, root, run_dir / f"half_{number}", weights=half.astype(float), resume=resume
        )
        with init_distributed(training.threads) as team:
            arithmetic = MixedPrecision.choose(training.precision, team.device)
            model = GroundingModel.from_pretrained(result.model).to(team.device)
            found[~half] = ranks(model, pairs, np.flatnonzero(~half), arithmetic)
    texts = [row.utterance for row in pairs.utterances]
    tokens, _ = pairs.vocabulary.encode(texts, length=config.pairs.length, ends=False)
    return posterior(found, tokens, len(pairs.vocabulary)) + _FLOOR


def _information(
    model: GroundingModel,
    pairs: Pairs,
    group: Int[np.ndarray, " n"],
    draw: int,
    arithmetic: MixedPrecision,
) -> Float[Tensor, "n n"]:
    """Pointwise mutual information of every frame (rows) with every utterance: logits less the mean
    of their row's and column's logsumexp."""
    batch = pairs.batch_of(group.tolist(), draw).to(arithmetic.device)
    with arithmetic.autocast():
        images = model_input(batch.images)
        logits = model.compare(images, batch.tokens, batch.lengths)
    return logits - (logits.logsumexp(0, keepdim=True) + logits.logsumexp(1, keepdim=True)) / 2
