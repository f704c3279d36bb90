"""What a policy knows of where things are, by linear read-out (Alain and Bengio 2017).

Ridge regression from what the policy makes of one picture and one sentence to positions on the
table: of the tool, of each block, and of the block that the sentence names. A read-out is fitted on
some recordings and judged on others. Read are the encoder's grid (averaged to 6x6 cells), the
tokens that the pool makes of it, and the transformer's output at the action query, which is all
that the action head sees: a policy can only act on what has come as far as there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float64, Int64

from firsthand.common.errors import UserError
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.episode import Window
from firsthand.episodes.ground_truth import NAMED, TOOL, LocatedFrame, located_frames
from firsthand.episodes.sampling.mixture import Part
from firsthand.policy.batch import Batch
from firsthand.policy.policy import Policy
from firsthand.training.loader import Embedder, unshifted
from firsthand.training.measures.ridge import cross_validated, folds_of
from firsthand.training.precision import MixedPrecision

FRAMES = 500
LEAST_FRAMES, LEAST_RECORDINGS = 100, 10  # at which a thing's place must be known to be asked for
_CELLS, _BATCH = 6, 64


@dataclass(frozen=True)
class ReadOut:
    """Median distances, in cm, between where a thing is and where it was read out to be.

    error: by representation (grid, tokens, action_query). mean: of the mean of the fitted places.
    """

    thing: str
    frames: int
    recordings: int
    error: Mapping[str, float]
    mean: float


@dataclass(frozen=True)
class LinearProbe:
    """Frames at which the places of things are known, as windows of one frame.

    camera: whose grid and tokens are read. recordings: of each frame. places: by thing, NaN where
    it is not known.
    """

    camera: str
    windows: Sequence[Window]
    recordings: Int64[np.ndarray, " n"]
    places: Mapping[str, Float64[np.ndarray, "n 2"]]

    @torch.no_grad()
    def __call__(
        self, policy: Policy, embed: Embedder, arithmetic: MixedPrecision
    ) -> list[ReadOut]:
        """Reads everything out of a policy. The robot's state is shown to one that has learned to
        act, if all recordings have it."""
        parts: dict[str, list[torch.Tensor]] = {}
        with arithmetic.autocast():
            for first in range(0, len(self.windows), _BATCH):
                some = self.windows[first : first + _BATCH]
                batch = unshifted(some, embed, arithmetic.device)
                if not policy.statistics.frames:
                    batch = replace(batch, state=None)
                for name, x in representations(policy, batch, self.camera).items():
                    parts.setdefault(name, []).append(x.flatten(1).double().cpu())
        read = {name: torch.cat(part).numpy() for name, part in parts.items()}
        return [self._read_out(thing, read) for thing in self.places]

    def _read_out(self, thing: str, read: Mapping[str, Float64[np.ndarray, "n _"]]) -> ReadOut:
        known = np.isfinite(self.places[thing]).all(1)
        places, recordings = self.places[thing][known], self.recordings[known]
        folds, error, mean = folds_of(recordings), {}, 0.0
        for name, x in read.items():
            predicted, means = cross_validated(x[known], places, folds)
            error[name] = _median_cm(predicted - places)
            mean = _median_cm(means - places)
        return ReadOut(thing, len(places), len(np.unique(recordings)), error, mean)


def representations(policy: Policy, batch: Batch, camera: str) -> dict[str, torch.Tensor]:
    """What a policy makes of single frames: of one camera the grid and the tokens, and of all that
    it is shown the output at the action query."""
    size = next(c.size for c in policy.config.cameras if c.name == camera)
    pictures = policy.images.fit(batch.images[camera][:, 0], size)
    grid = policy.images(pictures, batch.instruction).grid
    tokens, views = policy.embed_observation(batch)
    layout = policy.layout_of(batch, actions=True, futures=())
    outputs = policy.run_transformer(tokens, batch.valid, layout)
    return {
        "grid": F.adaptive_avg_pool2d(grid.float(), _CELLS),
        "tokens": views[camera].tokens,
        "action_query": outputs["action"],
    }


def find_probe(
    parts: Sequence[Part],
    cameras: Sequence[str],
    split: str | None,
    frames: int = FRAMES,
) -> LinearProbe | None:
    """The probe that recordings allow; None if they do not say where anything is.

    Args:
        cameras: of the policy; the first that all recordings have is read.

    Raises:
        UserError: too few say it, or they show none of the cameras.
    """
    each = -(-frames // max(1, len(parts)))
    found = [
        (part.corpus, located)
        for part in parts
        if split is None or split in part.corpus.splits
        for located in located_frames(part.corpus, split, each)
    ]
    if not found:
        return None
    names = ", ".join(part.corpus.name for part in parts)
    shown = [c for c in cameras if all(c in k.header(f.recording).cameras for k, f in found)]
    if not shown:
        raise UserError(f"{names}: no camera of {', '.join(cameras)} is in all of the recordings")
    numbers = {(id(k), f.recording): n for n, (k, f) in enumerate(found)}
    recordings = np.array([numbers[id(k), f.recording] for k, f in found])
    places = dict(_places([f for _, f in found], recordings))
    if not places:
        raise UserError(
            f"{names}: where something is is known in {len(found)} frames of {len(numbers)} "
            f"recordings; a read-out needs {LEAST_FRAMES} frames of {LEAST_RECORDINGS}"
        )
    state = all(k.header(f.recording).has_state for k, f in found)
    windows = [_window(k, f, shown, state) for k, f in found]
    return LinearProbe(shown[0], windows, recordings, places)


def required_probe(
    parts: Sequence[Part], cameras: Sequence[str], split: str | None, frames: int = FRAMES
) -> LinearProbe:
    """The same of recordings that were named for it.

    Raises:
        UserError: they do not say where anything is, too few do, or they show none of the cameras.
    """
    probe = find_probe(parts, cameras, split, frames)
    if probe is None:
        names = ", ".join(part.corpus.name for part in parts)
        raise UserError(
            f"{names}: no recording{f' in split {split}' if split else ''} says where anything is "
            "(docs/look.md names what would)"
        )
    return probe


def _places(
    frames: Sequence[LocatedFrame], recordings: Int64[np.ndarray, " n"]
) -> Iterator[tuple[str, Float64[np.ndarray, "n 2"]]]:
    """Of the things of which enough is known: the tool, the blocks, the one that is named."""
    names = sorted({name for f in frames for name in f.positions} - {TOOL, NAMED})
    for name in (TOOL, *names, NAMED):
        where = np.array([f.positions.get(name, (np.nan, np.nan)) for f in frames])
        known = np.isfinite(where).all(1)
        if known.sum() >= LEAST_FRAMES and len(set(recordings[known])) >= LEAST_RECORDINGS:
            yield name, where


def _window(
    corpus: Corpus, located: LocatedFrame, cameras: Sequence[str], with_state: bool
) -> Window:
    file, episode = corpus.file(located.recording)
    state = file.state(episode) if with_state else None
    return Window(
        frames={c: file.frames(episode, c, [located.frame]) for c in cameras},
        valid=np.ones(1, bool),
        instruction=located.sentence,
        state=None if state is None else state[located.frame][None],
    )


def probe_metrics(read_outs: Sequence[ReadOut]) -> dict[str, float]:
    """Distances as probe/THING/REPRESENTATION, and of the mean as probe/THING/mean."""
    return {
        f"probe/{one.thing}/{name}": value
        for one in read_outs
        for name, value in {**one.error, "mean": one.mean}.items()
    }


def _median_cm(differences: Float64[np.ndarray, "n 2"]) -> float:
    return 100 * float(np.median(np.linalg.norm(differences, axis=1)))
