"""Where things are in a recording, wherever a recording knows: what a linear read-out is asked for.

A recording says it in one of two ways:

- as play-table worlds do: CALVIN's `scene_obs`, a signal of every frame, or the one it was begun
  from (`source["reset"]`), which holds for its first frame. Blocks that do not lie on the open
  table (in the drawer, the cabinet, the gripper) are left out: a camera may not see them.
- as any other corpus can: `signals["blocks"]`, the positions of its blocks at every frame (frames,
  blocks, 2 or 3), metres, and `source["blocks"]`, their names; and, if need be,
  `signals["blocks_known"]`, at which frames each is to be seen (frames, blocks), `signals["tool"]`,
  the position of the gripper or the hand (frames, 2 or 3), and `source["named"]`, the block that
  each narration names (or the instruction, if there are none).

Whose names are not told, a sentence names the block of which it alone holds the name as a word. The
first two numbers of a position are the table's plane: across and in depth. All recordings of a
corpus have one origin.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from firsthand.common.errors import UserError
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.sampling.windows import to_frames
from firsthand.episodes.storage.header import Header
from firsthand.episodes.storage.reader import EpisodeFile

TOOL, NAMED = "tool", "named"
CALVIN_BLOCKS = ("red", "blue", "pink")  # in the order of `scene_obs`, six numbers each, from 6 on
_SCENE = 24
_ON_TABLE = (0.44, 0.50)  # metres above the floor: centres of blocks that lie on the table
_APART = 0.5  # seconds between two frames of a recording that are asked about

Positions = Float64[np.ndarray, "t 2"]


@dataclass(frozen=True)
class LocatedFrame:
    """A frame, what is said at it, and where things are: metres in the table's plane, by name; the
    block that the sentence names once more as `NAMED`."""

    recording: int
    frame: int
    sentence: str
    positions: Mapping[str, tuple[float, float]]


def located_frames(
    corpus: Corpus, split: str | None, most: int, seed: int = 0
) -> list[LocatedFrame]:
    """About `most` frames at which it is known where something is, evenly from all recordings of a
    split (None: of the corpus), in a random order of recordings.

    Raises:
        UserError: a recording contradicts itself.
    """
    chosen = np.random.default_rng(seed).permutation(corpus.split(split)).tolist()
    each = max(1, -(-most // max(1, len(chosen))))
    found: list[LocatedFrame] = []
    for recording in chosen:
        if len(found) >= most:
            break
        found += _of_recording(corpus, recording, each)
    return found


def _of_recording(corpus: Corpus, recording: int, most: int) -> list[LocatedFrame]:
    header = corpus.header(recording)
    if not _may_know(header):
        return []
    positions = positions_of(*corpus.file(recording))
    blocks = [where for name, where in positions.items() if name != TOOL]
    known = np.zeros(header.length, bool)
    for where in blocks or positions.values():
        known |= np.isfinite(where).all(1)
    frames = _spaced(header, np.flatnonzero(known))
    frames = frames[np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).astype(int))]
    return [_located(header, recording, int(frame), positions) for frame in frames]


def _may_know(header: Header) -> bool:
    """Told without opening a file."""
    signals = {"blocks", TOOL, "scene_obs"} & header.signals.keys()
    return bool(signals) or header.has_state or "reset" in header.source


def _spaced(header: Header, known: np.ndarray) -> np.ndarray:
    """Those of the frames where something is said, if anything ever is, some time apart."""
    if header.narrations:
        said = [frame for frame in known.tolist() if _narration(header, frame) is not None]
        known = np.array(said, int)
    return known[np.unique(known // to_frames(_APART, header.fps), return_index=True)[1]]


def _located(
    header: Header, recording: int, frame: int, positions: Mapping[str, Positions]
) -> LocatedFrame:
    number = _narration(header, frame)
    sentence = header.instruction if number is None else header.narrations[number].text
    here = {name: where[frame] for name, where in positions.items()}
    named = _named(header, number or 0, sentence, [name for name in here if name != TOOL])
    if named is not None:
        here[NAMED] = here[named]
    seen = {n: (float(x), float(y)) for n, (x, y) in here.items() if np.isfinite((x, y)).all()}
    return LocatedFrame(recording, frame, sentence, seen)


def _narration(header: Header, frame: int) -> int | None:
    """Which narration is about the middle of a frame."""
    time = (frame + 0.5) / header.fps
    return next((i for i, n in enumerate(header.narrations) if n.start <= time < n.end), None)


def _named(header: Header, number: int, sentence: str, blocks: Sequence[str]) -> str | None:
    if "named" not in header.source:
        words = set(re.findall(r"\w+", sentence.lower()))
        held = [name for name in blocks if set(re.findall(r"\w+", name.lower())) <= words]
        return held[0] if len(held) == 1 else None
    told = header.source["named"]
    if len(told) != max(1, len(header.narrations)):
        raise UserError(
            f"{header.name}: source[named] names {len(told)} blocks, "
            f"for {len(header.narrations)} narrations"
        )
    if told[number] not in (None, *blocks):
        raise UserError(
            f"{header.name}: source[named] holds {told[number]!r}, "
            f"which is none of its blocks {', '.join(blocks)}"
        )
    return told[number]


def positions_of(file: EpisodeFile, episode: int | str) -> dict[str, Positions]:
    """Where the tool and each block of a recording are at every frame, NaN where it is not known.

    Raises:
        UserError: names and positions disagree.
    """
    header = file.header(episode)
    found: dict[str, Positions] = {}
    if TOOL in header.signals:
        found[TOOL] = _signal(file, header, TOOL, 2)[:, :2]
    elif (state := file.state(episode)) is not None:
        found[TOOL] = state[:, :2].astype(np.float64)
    names = header.source.get("blocks", ())
    if "blocks" in header.signals:
        blocks = _signal(file, header, "blocks", 3)
        if blocks.shape[1] != len(names):
            raise UserError(
                f"{file.path}: {header.name} has positions of {blocks.shape[1]} blocks, and "
                f"{len(names)} names of them (source[blocks])"
            )
        if "blocks_known" in header.signals:
            known = np.asarray(file.signal(header.name, "blocks_known"), bool)
            if known.shape != blocks.shape[:2]:
                raise UserError(
                    f"{file.path}: signal blocks_known of {header.name} is {known.shape}, "
                    f"not {blocks.shape[:2]}, a value for each frame and block"
                )
            blocks = np.where(known[..., None], blocks, np.nan)
        return found | {name: blocks[:, i, :2] for i, name in enumerate(names)}
    return found | dict(_calvin(file, header))


def _signal(file: EpisodeFile, header: Header, name: str, dimensions: int) -> np.ndarray:
    values = np.asarray(file.signal(header.name, name), np.float64)
    if values.ndim != dimensions or values.shape[-1] not in (2, 3):
        raise UserError(
            f"{file.path}: signal {name} of {header.name} is {values.shape}: its last axis must "
            f"hold 2 or 3 coordinates, and there must be {dimensions} axes"
        )
    return values


def _calvin(file: EpisodeFile, header: Header) -> Iterator[tuple[str, Positions]]:
    reset: Any = header.source.get("reset") or {}
    if "scene_obs" in header.signals:
        scene = np.asarray(file.signal(header.name, "scene_obs"), np.float64)
    elif "scene_obs" in reset:
        scene = np.full((header.length, np.size(reset["scene_obs"])), np.nan)
        scene[0] = reset["scene_obs"]
    else:
        return
    if scene.shape[1:] != (_SCENE,):
        raise UserError(
            f"{file.path}: scene_obs of {header.name} is {scene.shape[1:]}, not ({_SCENE},)"
        )
    low, high = _ON_TABLE
    for number, name in enumerate(CALVIN_BLOCKS):
        x, y, z = scene[:, 6 * number + 6 : 6 * number + 9].T
        lies = (y < 0) & (low < z) & (z < high)
        yield name, np.where(lies[:, None], np.stack([x, y], 1), np.nan)
