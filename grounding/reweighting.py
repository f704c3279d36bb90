"""Pairs weighted by how likely the utterance is about what was seen, judged by models that have not
learned from them.

Most of what a child hears is about nothing in view, and pairs of that kind only blur what the
others teach. The recordings are parted into halves; a model that learned from one half judges the
pairs of the other, so that none is judged by what memorised it (cross-fitting). What counts is the
rank of an utterance's own frames among others' frames: of utterances about something else it is
uniform. How many are about what is seen, and which words tell, follows from the ranks alone: a
two-groups model with covariates (local false discovery rates, Efron 2008; Scott et al. 2015). The
model proper then draws pairs as often as they are believed.
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
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.pairs import UNCHANGED, Pairs
from firsthand.grounding.train import GroundConfig, GroundResult, ground
from firsthand.policy.modules.image_encoder import imagenet_normalised, to_unit
from firsthand.training.distributed import init_distributed
from firsthand.training.precision import MixedPrecision

WEIGHTS = "weights.json"
_OTHERS = 256  # utterances whose frames an utterance's own are ranked among
_DOUBT = 0.02  # is added to every belief, so that nothing said is never heard
_DRAWS = 3  # frames of an utterance that are looked at


def ground_weighted(
    config: GroundConfig, root: Path, run_dir: Path, *, resume: bool = False
) -> GroundResult:
    """As `ground`, after two models of half the steps (in `half_0` and `half_1`) have told which
    pairs to draw how often (`weights.json`). The same holds of runs that are killed.

    Raises:
        UserError: as for `ground`, and if the corpus has a single recording.
    """
    path = run_dir / WEIGHTS
    if resume and path.exists():
        weights = np.array(load_json(path), dtype=np.float64)
    else:
        weights = _judged(config, root, run_dir, resume)
        with init_distributed(config.training.threads) as team:
            if team.is_main:
                write_json(path, weights.tolist())
            team.wait()
    return ground(config, root, run_dir, weights=weights, resume=resume)


def halves(pairs: Pairs, seed: int) -> Bool[np.ndarray, " n"]:
    """Which pairs are of one half of the recordings; the rest is the other half.

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
    model: GroundingModel, pairs: Pairs, judged: Int[np.ndarray, " n"], arithmetic: MixedPrecision
) -> Float64[np.ndarray, " n"]:
    """Of the frames of others, the share that suits an utterance less than its own; within (0, 1).

    Suits: pointwise mutual information, so that neither frames near to all utterances nor
    utterances near to all frames are favoured. The mean over some frames of each utterance.
    """
    found = np.zeros(len(judged))
    order = np.random.default_rng(0).permutation(len(judged))
    for some in np.array_split(order, max(1, round(len(judged) / _OTHERS))):
        draws = [_information(model, pairs, judged[some], i, arithmetic) for i in range(_DRAWS)]
        suits = torch.stack(draws).mean(dim=0)
        own = suits.diagonal()
        less = (suits < own).sum(dim=0) + 0.5 * ((suits == own).sum(dim=0) - 1)
        found[some] = ((less + 0.5) / len(some)).double().cpu().numpy()
    return found


def posterior(
    ranks: Float64[np.ndarray, " n"], tokens: Int[Tensor, "n l"], words: int
) -> Float64[np.ndarray, " n"]:
    """How likely each utterance is about what was seen, given its rank and its words.

    Ranks are uniform if it is not, and of density a r^(a - 1) if it is; how likely it is by its
    words alone is a logistic function of a number for each. All are fitted by maximum likelihood,
    the words' numbers under a normal prior. With a from 2 on, what poor judges leave unsure counts
    as about something else; otherwise nearly all would do for nearly uniform ranks. Tokens 0 are
    padding.
    """
    log = torch.from_numpy(ranks).log()
    told = torch.zeros(words + 2, dtype=torch.float64)  # a number a word, then the constant and a
    told[-2:] = torch.tensor([-1.0, 1.0])
    told.requires_grad_()
    descent = torch.optim.LBFGS([told], max_iter=200, line_search_fn="strong_wolfe")

    def parts() -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        prior = told[-2] + (told[:-2][tokens] * (tokens > 0)).sum(dim=1)
        excess = 1 + F.softplus(told[-1])  # a - 1
        return F.logsigmoid(prior) + excess.log1p() + excess * log, F.logsigmoid(-prior)

    def closure() -> Float[Tensor, ""]:
        descent.zero_grad()
        loss = (told[:-2] ** 2).sum() / 2 - torch.logaddexp(*parts()).sum()
        loss.backward()
        return loss

    descent.step(closure)
    with torch.no_grad():
        about, other = parts()
        return torch.sigmoid(about - other).numpy()


def _judged(
    config: GroundConfig, root: Path, run_dir: Path, resume: bool
) -> Float64[np.ndarray, " n"]:
    """Every pair judged by the model that learned from the other half."""
    training = replace(config.training, steps=max(1, config.training.steps // 2))
    halved = replace(config, training=training)
    asked = config.pairs
    seen = replace(
        UNCHANGED, size=asked.size, length=asked.length, about=asked.about, frame_anew=True
    )
    clip = config.model.clip
    pairs = Pairs(
        root, seen, clip=clip, file=config.learned, frames=config.frames, links=config.links
    )
    one = halves(pairs, config.training.seed)
    found = np.zeros(len(pairs))
    for number, half in enumerate((one, ~one)):
        result = ground(
            halved, root, run_dir / f"half_{number}", weights=half.astype(float), resume=resume
        )
        with init_distributed(training.threads) as team:
            arithmetic = MixedPrecision.choose(training.precision, team.device)
            model = GroundingModel.from_pretrained(result.model).to(team.device)
            found[~half] = ranks(model, pairs, np.flatnonzero(~half), arithmetic)
    said = [row.utterance for row in pairs.utterances]
    tokens, _ = pairs.vocabulary.encode(said, length=asked.length, ends=False)
    return posterior(found, tokens, len(pairs.vocabulary)) + _DOUBT


def _information(
    model: GroundingModel,
    pairs: Pairs,
    some: Int[np.ndarray, " n"],
    draw: int,
    arithmetic: MixedPrecision,
) -> Float[Tensor, "n n"]:
    """Of every frame (rows) and every utterance, less than what an InfoNCE takes as chance."""
    batch = pairs.some(some.tolist(), draw).to(arithmetic.device)
    with arithmetic.autocast():
        images = imagenet_normalised(to_unit(batch.images))
        logits = model.compare(images, batch.tokens, batch.lengths)
    return logits - (logits.logsumexp(0, keepdim=True) + logits.logsumexp(1, keepdim=True)) / 2
