"""Forced choice of verbs: how often a model finds the clip of the action that a verb names, among
clips of other actions with the same object."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from firsthand.episodes.untrusted.trust import inside
from firsthand.grounding.evaluation.embeddings import read_images
from firsthand.grounding.evaluation.forced_choice import Choices
from firsthand.grounding.evaluation.trials import VerbTrial, read_verb_trials
from firsthand.grounding.image_encoder import model_input
from firsthand.grounding.model import GroundingModel, vocabulary_of
from firsthand.grounding.pairs import frame_indices

FILES = ("eval_verbs.json", "eval_verbs_reversed.json")  # of any verbs; of one and it backwards
BATCH = 16  # clips encoded at a time
Resolve = Callable[[str], Path]  # a file name of a trial to its path


@dataclass(frozen=True)
class VerbChoices(Choices):
    """A model's choices in trials of verbs."""

    verbs: tuple[tuple[str, ...], ...]
    """The verb of each clip of each trial, the target's first."""
    shares: tuple[tuple[float, ...], ...]
    """The credit that each of these clips gets: 1 in all, shared by equally similar ones."""

    def confusion(self) -> tuple[list[str], Float[np.ndarray, "target chosen"]]:
        """The verbs, and how often each (column) was chosen for each target (row) when the trial
        had a clip of it; NaN where it never had."""
        names = sorted({verb for verbs in self.verbs for verb in verbs})
        chosen, offered = np.zeros((2, len(names), len(names)))
        for verbs, shares in zip(self.verbs, self.shares, strict=True):
            target = names.index(verbs[0])
            for verb, share in zip(verbs, shares, strict=True):
                chosen[target, names.index(verb)] += share
                offered[target, names.index(verb)] += 1
        return names, np.divide(chosen, offered, np.full_like(chosen, np.nan), where=offered > 0)


def measure_verbs(
    model: GroundingModel, root: Path, *, ends: bool = False, links: bool = False
) -> dict[str, VerbChoices]:
    """A model's choices in those of `FILES` that the corpus at `root` has, by file name.

    A model of clips gets as many frames as it was trained on, in its order; one of images gets a
    single frame. Trials are left out whose verb the model does not know, and files without others.

    Raises:
        UserError: a file or image is missing or malformed, or the model has no vocabulary.
    """
    vocabulary = vocabulary_of(model)
    found = {}
    for name in FILES:
        if not (root / name).exists():
            continue
        trials = [t for t in read_verb_trials(root / name) if t.verbs[0] in vocabulary]
        if trials:
            found[name] = _choose(model, partial(inside, root, links=links), trials, ends)
    return found


def _choose(
    model: GroundingModel, resolve: Resolve, trials: Sequence[VerbTrial], ends: bool
) -> VerbChoices:
    targets = sorted({trial.verbs[0] for trial in trials})
    names = [_frames_of(model, trial) for trial in trials]
    clips = list(dict.fromkeys(clip for of_trial in names for clip in of_trial))
    logits = _logits(model, resolve, clips, targets, ends)
    rows = {clip: row for row, clip in enumerate(clips)}
    shares = []
    for trial, of_trial in zip(trials, names, strict=True):
        scores = logits[[rows[clip] for clip in of_trial], targets.index(trial.verbs[0])]
        best = scores == scores.max()
        shares.append(tuple((best / best.sum()).tolist()))
    return VerbChoices(
        words=tuple(trial.verbs[0] for trial in trials),
        credit=tuple(share[0] for share in shares),
        chance=float(np.mean([1 / len(trial.verbs) for trial in trials])),
        verbs=tuple(trial.verbs for trial in trials),
        shares=tuple(shares),
    )


def _frames_of(model: GroundingModel, trial: VerbTrial) -> list[tuple[str, ...]]:
    """File names of the frames of each clip that a model gets."""
    clip = model.config.clip
    if clip.frames == 1:
        return [(names[k],) for names, k in zip(trial.clips, trial.still, strict=True)]
    frames = []
    for names in trial.clips:
        random = np.random.default_rng(list(names[0].encode()))  # the same for a clip in any trial
        chosen = frame_indices(len(names), clip, random, anew=False)
        frames.append(tuple(names[frame] for frame in chosen))
    return frames


@torch.no_grad()
def _logits(
    model: GroundingModel,
    resolve: Resolve,
    clips: Sequence[tuple[str, ...]],
    verbs: Sequence[str],
    ends: bool,
) -> Float[np.ndarray, "clips verbs"]:
    """Logits of the clips with the verbs."""
    device = model.project.weight.device
    tokens, lengths = (x.to(device) for x in vocabulary_of(model).encode(verbs, ends=ends))
    model.eval()
    size, frames, rows = model.config.vision.size, model.config.clip.frames, []
    for start in range(0, len(clips), BATCH):
        batch = clips[start : start + BATCH]
        paths = [resolve(name) for clip in batch for name in clip]
        pixels = read_images(paths, size, shrunk=False).to(device)
        if frames > 1:
            pixels = pixels.unflatten(0, (len(batch), frames))
        rows.append(model.compare(model_input(pixels), tokens, lengths).cpu())
    return torch.cat(rows).numpy()
