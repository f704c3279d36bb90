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

from firsthand.common.atomic import write_json
from firsthand.episodes.jpeg import encode_jpeg
from firsthand.synthetic.home.behaviour.activities import FPS, plan
from firsthand.synthetic.home.camera.view import HeadCamera
from firsthand.synthetic.home.numbered_work import kept
from firsthand.synthetic.home.recording import QUALITY, STREAMS
from firsthand.synthetic.home.test_sets.clips import CLIP_NOUNS, clips_folder, make_clips
from firsthand.synthetic.home.test_sets.objects import IMAGES, draw_object
from firsthand.synthetic.home.test_sets.trials import category_trials, object_trials, verb_trials
from firsthand.synthetic.home.test_sets.word_order import (
    PAIRS,
    make_word_order_trials,
    order_folder,
)
from firsthand.synthetic.home.world.house import NEW_ROOMS, ROOMS
from firsthand.synthetic.home.world.nouns import NOUNS
from firsthand.synthetic.home.world.scene import HomeScene, make_scene

CATEGORIES = (
    "ball", "banana", "bear", "boat", "book", "bottle", "bunny", "butterfly", "cake", "car",
    "carrot", "chair", "clock", "cup", "drum", "duck", "fish", "flower", "giraffe", "guitar",
    "hat", "lamp", "train", "tree",
)  # fmt: skip
OBJECTS = tuple(NOUNS)  # shown on white
QUOTAS = {"dev": 200, "test": 100, "rooms": 40}  # pictures a category
FOILS = {"dev": (3, 9, 21), "test": (3, 9, 21), "rooms": (3,)}  # of the trial files
TRIALS = 100  # a category
CLIPS = 10  # clips of a noun and a verb
SCENES = 40  # of a pair of nouns
REPEATS = 5  # of every object on white
CLEAR = 0.03  # share of a picture that its category fills at least
DOMINANT = 2.0  # times what any other noun fills
ACTIVITIES, VIEWS = 10, 4  # looked through in a scene, and pictures taken of it at most


def make_evaluation(
    seed: int, size: int, workers: int, out: Path, ledgers: Path, share: float = 1.0
) -> None:
    """Make the test sets of the corpus at `out`, as far as `ledgers` do not hold them already.

    `share` is how large they are to be of the size that they have at most.
    """

    def part(whole: int, least: int) -> int:
        return min(whole, max(least, round(whole * share)))

    for split, quota in QUOTAS.items():
        work = partial(_draw_frames, split, seed, size, part(quota, 10), out)
        folders = [_frames_folder(out, split, category) for category in CATEGORIES]
        drawn = kept(f"{split} frames", work, folders, workers, ledgers / split)
        names: dict[str, list[str]] = dict(zip(CATEGORIES, drawn, strict=True))
        rng = np.random.default_rng([seed, STREAMS[split]])
        prefix = "eval_new_rooms" if split == "rooms" else f"eval_{split}"
        for foils in FOILS[split]:
            path = out / f"{prefix}{'' if foils == 3 else f'_{foils}_foils'}.json"
            write_json(path, category_trials(names, part(TRIALS, 10), foils, rng))
    work = partial(_draw_objects, seed, size, part(IMAGES, 3), out)
    folders = [_objects_folder(out, noun) for noun in OBJECTS]
    drawn_objects = kept("objects on white", work, folders, workers, ledgers / "objects")
    rng = np.random.default_rng([seed, STREAMS["objects"]])
    objects: dict[str, list[str]] = dict(zip(OBJECTS, drawn_objects, strict=True))
    write_json(out / "eval_object_categories.json", object_trials(objects, REPEATS, rng))
    work = partial(make_clips, seed, size, part(CLIPS, 2), out)
    folders = [clips_folder(out, noun) for noun in CLIP_NOUNS]
    made = kept("verb clips", work, folders, workers, ledgers / "verbs")
    rng = np.random.default_rng([seed, STREAMS["verbs"]])
    clips = {
        (noun, verb): of_verb
        for noun, of_noun in zip(CLIP_NOUNS, made, strict=True)
        for verb, of_verb in of_noun.items()
    }
    write_json(out / "eval_verbs_reversed.json", verb_trials(clips, True, rng))
    write_json(out / "eval_verbs.json", verb_trials(clips, False, rng))
    work = partial(make_word_order_trials, seed, size, part(SCENES, 4), out)
    folders = [order_folder(out, nouns) for nouns in PAIRS]
    made = kept("pairs of things", work, folders, workers, ledgers / "order")
    trials = [trial for of_pair in made for trial in of_pair]
    numbered = [{"trial_num": number, **trial} for number, trial in enumerate(trials)]
    write_json(out / "eval_word_order.json", {"data": numbered})


def _frames_folder(out: Path, split: str, category: str) -> Path:
    return out / "eval" / split / category


def _objects_folder(out: Path, noun: str) -> Path:
    return out / "object_categories" / noun


def _draw_frames(split: str, seed: int, size: int, quota: int, out: Path, number: int) -> list[str]:
    """The pictures of one category: moments of recordings in which it is in clear view."""
    category, rng = CATEGORIES[number], np.random.default_rng([seed, STREAMS[split], number])
    folder = _frames_folder(out, split, category)
    kinds = list(NEW_ROOMS if split == "rooms" else ROOMS)
    weights = {noun: 1e6 if noun == category else 1.0 for noun in NOUNS}
    names: list[str] = []
    while len(names) < quota:
        scene = make_scene(kinds[int(rng.integers(len(kinds)))], rng, weights)
        nouns = [thing.noun for thing in scene.things]
        if category not in nouns:  # it found no place
            continue
        found = _clear_views(scene, nouns.index(category), size, rng)
        for jpeg in found[: quota - len(names)]:
            path = folder / f"{category}_{len(names):04}.jpeg"
            path.write_bytes(jpeg)
            names.append(str(path.relative_to(out)))
    return names


def _clear_views(scene: HomeScene, focus: int, size: int, rng: np.random.Generator) -> list[bytes]:
    """Up to `VIEWS` pictures in which a thing is in clear view, each from another activity."""
    activities = plan(scene, ACTIVITIES * 5 * FPS, rng, order=np.array([focus]))
    camera = HeadCamera(scene, activities, size, rng)
    found: list[bytes] = []
    for activity in activities:
        view = camera.draw(int(rng.integers(activity.start, activity.end)))
        others = np.delete(view.shares, focus).max(initial=0.0)
        if view.shares[focus] >= max(CLEAR, DOMINANT * others):
            found.append(encode_jpeg(view.rgb, QUALITY))
        if len(found) == VIEWS:
            break
    return found


def _draw_objects(seed: int, size: int, count: int, out: Path, number: int) -> list[str]:
    noun = OBJECTS[number]
    folder = _objects_folder(out, noun)
    names = []
    for k in range(count):
        path = folder / f"{noun}_{k:02}.jpg"
        path.write_bytes(encode_jpeg(draw_object(seed, noun, k, 2 * size), QUALITY))
        names.append(str(path.relative_to(out)))
    return names
