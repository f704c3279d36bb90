"""Clips of every verb with one and the same thing, frames in order.

Clips of opposite verbs (lift and drop, hide and show) come from one film, shown forwards and
backwards: no single frame can tell them apart.
"""

from pathlib import Path

import numpy as np

from firsthand.episodes.jpeg import encode_jpeg
from firsthand.synthetic.home.behaviour.activities import make_activity
from firsthand.synthetic.home.behaviour.verbs import REVERSED, VERBS
from firsthand.synthetic.home.camera.view import HeadCamera
from firsthand.synthetic.home.recording import QUALITY, STREAMS
from firsthand.synthetic.home.world.house import ROOMS
from firsthand.synthetic.home.world.nouns import NOUNS
from firsthand.synthetic.home.world.scene import make_scene

CLIP_NOUNS = ("ball", "car", "book", "cup", "bear", "hat", "train", "duck", "fish", "drum")


def clips_folder(out: Path, noun: str) -> Path:
    return out / "verb_clips" / noun


def make_clips(
    seed: int, size: int, count: int, out: Path, number: int
) -> dict[str, list[list[str]]]:
    """All clips of one of `CLIP_NOUNS`: verb -> takes -> file names in order."""
    noun = CLIP_NOUNS[number]
    folder = clips_folder(out, noun)
    clips: dict[str, list[list[str]]] = {verb: [] for verb in VERBS}
    for verb in VERBS:
        backwards = REVERSED.get(verb, "")
        if backwards and VERBS.index(backwards) < VERBS.index(verb):
            continue  # shown with its opposite
        for k in range(count):
            which = (number, VERBS.index(verb), k)
            rng = np.random.default_rng([seed, STREAMS["verbs"], *which])
            frames = _draw_clip(noun, verb, size, rng)
            clips[verb].append(_store(frames, folder / f"{verb}_{k:02}", out))
            if backwards:
                stored = _store(frames[::-1], folder / f"{backwards}_{k:02}", out)
                clips[backwards].append(stored)
    return clips


def _draw_clip(noun: str, verb: str, size: int, rng: np.random.Generator) -> list[bytes]:
    """An activity's frames, of which the lead is not shown."""
    rooms = list(ROOMS)
    weights = {name: 1e6 if name == noun else 1.0 for name in NOUNS}
    while True:
        scene = make_scene(rooms[int(rng.integers(len(rooms)))], rng, weights, 6)
        nouns = [thing.noun for thing in scene.things]
        if noun in nouns:
            break
    activity = make_activity(scene, "verb", nouns.index(noun), 0, rng, verb)
    camera = HeadCamera(scene, [activity], size, rng)
    return [encode_jpeg(camera.draw(k).rgb, QUALITY) for k in range(activity.start, activity.end)]


def _store(frames: list[bytes], stem: Path, out: Path) -> list[str]:
    names = []
    for k, jpeg in enumerate(frames):
        path = stem.with_name(f"{stem.name}_{k:02}.jpg")
        path.write_bytes(jpeg)
        names.append(str(path.relative_to(out)))
    return names
