"""The home's test sets, in SAYCam-S's folders and trial files.

eval/{dev,test}/{category}/*.jpeg   frames of recordings that nothing is learned from
eval/rooms/{category}/*.jpeg        the same in kinds of rooms that no training frame shows
object_categories/{noun}/*.jpg      things on white, as Konkle's
verb_clips/{noun}/*.jpg             clips of every verb with the same thing
word_order/{noun}_{noun}/*.jpeg     two things, one nearer than the other, or of two colours
eval_dev.json eval_test.json …      trials
"""

from functools import partial
from pathlib import Path

import numpy as np

from envs.home.bouts import FPS, plan
from envs.home.clips import CLIP_NOUNS, film_clips
from envs.home.house import NEW_ROOMS, ROOMS
from envs.home.nouns import NOUNS
from envs.home.objects import PICTURES, portrait
from envs.home.order import PAIRS, film_order
from envs.home.progress import finished
from envs.home.recording import QUALITY, STREAMS
from envs.home.scene import Scene, make_scene
from envs.home.trials import category_trials, object_trials, verb_trials
from envs.home.view import HeadCamera
from episodes.jpeg import encode_jpeg

CATEGORIES = (
    "ball", "banana", "bear", "boat", "book", "bottle", "bunny", "butterfly", "cake", "car",
    "carrot", "chair", "clock", "cup", "drum", "duck", "fish", "flower", "giraffe", "guitar",
    "hat", "lamp", "train", "tree",
)  # fmt: skip
OBJECTS = tuple(NOUNS)  # shown on white
QUOTAS = {"dev": 200, "test": 100, "rooms": 40}  # pictures a category
FOILS = {"dev": (3, 9, 21), "test": (3, 9, 21), "rooms": (3,)}  # of the trial files
TRIALS = 100  # a category
REPEATS = 5  # of every object on white
CLEAR = 0.03  # share of a picture that its category fills at least
DOMINANT = 2.0  # times what any other noun fills
BOUTS, GLIMPSES = 10, 4  # looked through in a scene, and pictures taken of it at most


def make_evaluation(seed: int, size: int, workers: int, out: Path) -> None:
    """Make the test sets that are not in the corpus at `out` yet."""
    for split in QUOTAS:
        _make_frames(split, seed, size, workers, out)
    rng = np.random.default_rng([seed, STREAMS["objects"]])
    if not (path := out / "eval_object_categories.json").exists():
        work = partial(_paint_objects, seed, size, out)
        objects = dict(finished("objects on white", work, range(len(OBJECTS)), workers))
        named = {noun: objects[number] for number, noun in enumerate(OBJECTS)}
        _write(path, object_trials(named, REPEATS, rng))
    rng = np.random.default_rng([seed, STREAMS["verbs"]])
    if not (path := out / "eval_verbs.json").exists():
        work = partial(film_clips, seed, size, out)
        clips = dict(finished("verb clips", work, range(len(CLIP_NOUNS)), workers))
        joined = {key: takes for number in sorted(clips) for key, takes in clips[number].items()}
        _write(out / "eval_verbs_reversed.json", verb_trials(joined, True, rng))
        _write(path, verb_trials(joined, False, rng))
    if not (path := out / "eval_word_order.json").exists():
        work = partial(film_order, seed, size, out)
        filmed = dict(finished("pairs of things", work, range(len(PAIRS)), workers))
        trials = [trial for number in range(len(PAIRS)) for trial in filmed[number]]
        _write(path, {"data": [{"trial_num": n, **trial} for n, trial in enumerate(trials)]})


def _make_frames(split: str, seed: int, size: int, workers: int, out: Path) -> None:
    """Pictures of all categories and their trials; the last file says that all are there."""
    prefix = "eval_new_rooms" if split == "rooms" else f"eval_{split}"
    paths = {n: out / f"{prefix}{'' if n == 3 else f'_{n}_foils'}.json" for n in FOILS[split]}
    if all(path.exists() for path in paths.values()):
        return
    work = partial(_take_frames, split, seed, size, out)
    taken = dict(finished(f"{split} frames", work, range(len(CATEGORIES)), workers))
    names = {category: taken[number] for number, category in enumerate(CATEGORIES)}
    rng = np.random.default_rng([seed, STREAMS[split]])
    for foils, path in paths.items():
        _write(path, category_trials(names, TRIALS, foils, rng))


def _write(path: Path, value: object) -> None:
    from envs.home.corpus import write_json

    write_json(path, value)


def _take_frames(split: str, seed: int, size: int, out: Path, number: int) -> list[str]:
    """The pictures of one category: moments of recordings in which it is in clear view."""
    category, rng = CATEGORIES[number], np.random.default_rng([seed, STREAMS[split], number])
    folder = out / "eval" / split / category
    folder.mkdir(parents=True, exist_ok=True)
    kinds = list(NEW_ROOMS if split == "rooms" else ROOMS)
    weights = {noun: 1e6 if noun == category else 1.0 for noun in NOUNS}
    names: list[str] = []
    while len(names) < QUOTAS[split]:
        scene = make_scene(kinds[int(rng.integers(len(kinds)))], rng, weights)
        nouns = [thing.noun for thing in scene.things]
        if category not in nouns:  # it found no place
            continue
        found = _glimpses(scene, nouns.index(category), size, rng)
        for jpeg in found[: QUOTAS[split] - len(names)]:
            path = folder / f"{category}_{len(names):04}.jpeg"
            path.write_bytes(jpeg)
            names.append(str(path.relative_to(out)))
    return names


def _glimpses(scene: Scene, focus: int, size: int, rng: np.random.Generator) -> list[bytes]:
    """Up to `GLIMPSES` pictures in which a thing is in clear view, each from another bout."""
    bouts = plan(scene, BOUTS * 5 * FPS, rng, order=np.array([focus]))
    camera = HeadCamera(scene, bouts, size, rng)
    found: list[bytes] = []
    for bout in bouts:
        sight = camera.draw(int(rng.integers(bout.start, bout.end)))
        others = np.delete(sight.shares, focus).max(initial=0.0)
        if sight.shares[focus] >= max(CLEAR, DOMINANT * others):
            found.append(encode_jpeg(sight.rgb, QUALITY))
        if len(found) == GLIMPSES:
            break
    return found


def _paint_objects(seed: int, size: int, out: Path, number: int) -> list[str]:
    noun = OBJECTS[number]
    folder = out / "object_categories" / noun
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for k in range(PICTURES):
        path = folder / f"{noun}_{k:02}.jpg"
        path.write_bytes(encode_jpeg(portrait(seed, noun, k, 2 * size), QUALITY))
        names.append(str(path.relative_to(out)))
    return names
