"""Forced choice of verbs: how often a model finds the clip of the action that a verb names, among
clips of other actions with the same object."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from firsthand.common.errors import UserError
from firsthand.episodes.untrusted.trust import inside
from firsthand.grounding.evaluation.embeddings import read_pictures
from firsthand.grounding.evaluation.forced_choice import Choices
from firsthand.grounding.evaluation.trials import VerbTrial, read_verb_trials
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.pairs import moments
from firsthand.policy.modules.image_encoder import imagenet_normalised, to_unit

FILES = ("eval_verbs.json", "eval_verbs_reversed.json")  # of any verbs; of one and it backwards
BATCH = 16  # clips that are encoded at a time
At = Callable[[str], Path]  # where the file lies that a trial names


@dataclass(frozen=True)
class VerbChoices(Choices):
    """`verbs` are those of each trial's clips, `shares` the credit that each of these gets."""

    verbs: tuple[tuple[str, ...], ...]
    shares: tuple[tuple[float, ...], ...]

    def confusion(self) -> tuple[list[str], Float[np.ndarray, "asked chosen"]]:
        """Verbs, and how often each was chosen when one was asked for and there to be chosen.

        NaN where it never was.
        """
        names = sorted({verb for verbs in self.verbs for verb in verbs})
        chosen, offered = np.zeros((2, len(names), len(names)))
        for verbs, shares in zip(self.verbs, self.shares, strict=True):
            asked = names.index(verbs[0])
            for verb, share in zip(verbs, shares, strict=True):
                chosen[asked, names.index(verb)] += share
                offered[asked, names.index(verb)] += 1
        return names, np.divide(chosen, offered, np.full_like(chosen, np.nan), where=offered > 0)


def measure_verbs(
    model: GroundingModel, root: Path, *, ends: bool = False, links: bool = False
) -> dict[str, VerbChoices]:
    """What a model chooses in those of `FILES` that the corpus at `root` has, by their names.

    A model of clips sees as many frames as it learned from, in its order; one of pictures sees a
    single frame. Trials are left out whose verb the model does not know, and files without others.

    Raises:
        UserError: a file or picture is missing or malformed, or the model has no vocabulary.
    """
    if model.vocabulary is None:
        raise UserError("the model has no vocabulary: load it with CVCL's vocab.json")
    found = {}
    for name in FILES:
        if not (root / name).exists():
            continue
        trials = [t for t in read_verb_trials(root / name) if t.verbs[0] in model.vocabulary]
        if trials:
            found[name] = _choose(model, partial(inside, root, links=links), trials, ends)
    return found


def _choose(model: GroundingModel, at: At, trials: Sequence[VerbTrial], ends: bool) -> VerbChoices:
    asked = sorted({trial.verbs[0] for trial in trials})
    shown = [_shown(model, trial) for trial in trials]
    seen = list(dict.fromkeys(frames for frames_of in shown for frames in frames_of))
    nearness = _nearness(model, at, seen, asked, ends)
    place = {frames: number for number, frames in enumerate(seen)}
    shares = []
    for trial, frames_of in zip(trials, shown, strict=True):
        near = nearness[[place[frames] for frames in frames_of], asked.index(trial.verbs[0])]
        best = near == near.max()
        shares.append(tuple((best / best.sum()).tolist()))
    return VerbChoices(
        words=tuple(trial.verbs[0] for trial in trials),
        credit=tuple(share[0] for share in shares),
        chance=float(np.mean([1 / len(trial.verbs) for trial in trials])),
        verbs=tuple(trial.verbs for trial in trials),
        shares=tuple(shares),
    )


def _shown(model: GroundingModel, trial: VerbTrial) -> list[tuple[str, ...]]:
    """The frames of each clip that a model sees."""
    clip = model.config.clip
    if clip.frames == 1:
        return [(names[k],) for names, k in zip(trial.clips, trial.still, strict=True)]
    shown = []
    for names in trial.clips:
        random = np.random.default_rng(list(names[0].encode()))  # a clip's own, in any trial
        chosen = moments(len(names), clip, random, anew=False)
        shown.append(tuple(names[frame] for frame in chosen))
    return shown


@torch.no_grad()
def _nearness(
    model: GroundingModel,
    at: At,
    seen: Sequence[tuple[str, ...]],
    asked: Sequence[str],
    ends: bool,
) -> Float[np.ndarray, "clips verbs"]:
    """Logits of what is seen with the verbs."""
    assert model.vocabulary is not None
    device = model.project.weight.device
    tokens, lengths = (said.to(device) for said in model.vocabulary.encode(asked, ends=ends))
    model.eval()
    rows = []
    for start in range(0, len(seen), BATCH):
        pixels = _read(model, at, seen[start : start + BATCH]).to(device)
        rows.append(model.compare(imagenet_normalised(to_unit(pixels)), tokens, lengths).cpu())
    return torch.cat(rows).numpy()


def _read(
    model: GroundingModel, at: At, clips: Sequence[tuple[str, ...]]
) -> UInt8[Tensor, "b *t 3 h w"]:
    paths = [at(name) for clip in clips for name in clip]
    pixels = read_pictures(paths, model.config.vision.size, shrunk=False)
    frames = model.config.clip.frames
    return pixels if frames == 1 else pixels.unflatten(0, (len(clips), frames))
