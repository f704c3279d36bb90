"""How often a model finds the clip of what a verb says, among clips of other deeds with one thing.

A trial file holds `{"data": [...]}` of `target_verb`, `target_frame_filenames` (in order),
`foil_verbs`, `foil_frame_filenames` (a list for each) and `still`, the number of the frame of each
clip, the target's first, that a model of single pictures gets to see.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from firsthand.common.errors import UserError
from firsthand.episodes.untrusted.trust import inside, load_json
from firsthand.grounding.evaluation.embeddings import read_pictures
from firsthand.grounding.evaluation.forced_choice import Choices
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.pairs import moments
from firsthand.policy.modules.image_encoder import imagenet_normalised, to_unit

FILES = ("eval_verbs.json", "eval_verbs_reversed.json")  # of any verbs; of one and it backwards
BATCH = 16  # clips that are encoded at a time
At = Callable[[str], Path]  # where the file lies that a trial names


@dataclass(frozen=True)
class VerbTrial:
    """`clips` are frames in order, the target's first, and `verbs` what is done in them."""

    verbs: tuple[str, ...]
    clips: tuple[tuple[str, ...], ...]
    still: tuple[int, ...]


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


def read_verb_trials(path: Path) -> list[VerbTrial]:
    """Raises UserError: it is no such file, by its trial."""
    content = load_json(path)
    rows = content.get("data") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{path}: holds no list of trials under 'data'")
    return [_trial(row, f"{path}: trial {number}") for number, row in enumerate(rows)]


def _trial(row: Any, where: str) -> VerbTrial:
    try:
        verbs = (row["target_verb"], *row["foil_verbs"])
        clips = tuple(map(tuple, (row["target_frame_filenames"], *row["foil_frame_filenames"])))
        still = tuple(row["still"])
    except (TypeError, KeyError) as error:
        raise UserError(f"{where}: is no trial of verbs: {error!r}") from error
    if not len(verbs) == len(clips) == len(still) > 1:
        raise UserError(
            f"{where}: {len(verbs)} verbs, {len(clips)} clips and {len(still)} frames in `still` "
            "are no choice"
        )
    if not all(isinstance(text, str) for texts in (verbs, *clips) for text in texts):
        raise UserError(f"{where}: a verb or a file name is no text")
    if not all(
        isinstance(k, int) and 0 <= k < len(clip) for k, clip in zip(still, clips, strict=True)
    ):
        raise UserError(f"{where}: `still` is {list(still)}, the clips are shorter")
    return VerbTrial(verbs, clips, still)


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
