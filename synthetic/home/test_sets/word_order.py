"""Two pictures and two utterances of the same words in another order, each true of one picture.

As in Winoground (Thrush et al. 2022), judges that see no picture, or in an utterance no order, are
right half the time. Words are those of `relations`: of the same two nouns, the ball is in front of
the car in one picture and the car in front of the ball in the other, or a red ball and a blue car
in one are a blue ball and a red car in the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from firsthand.episodes.jpeg import encode_jpeg
from firsthand.synthetic.home.behaviour.activities import KINDS, Activity, make_activity
from firsthand.synthetic.home.camera.view import HeadCamera
from firsthand.synthetic.home.language.phrases import RELATIONS
from firsthand.synthetic.home.language.relations import phrases, together
from firsthand.synthetic.home.recording import QUALITY, STREAMS
from firsthand.synthetic.home.world.furnishings import Rng
from firsthand.synthetic.home.world.house import ROOMS
from firsthand.synthetic.home.world.nouns import NOUNS
from firsthand.synthetic.home.world.scene import HomeScene, make_scene

ORDERED = ("ball", "car", "book", "cup", "hat", "train", "bottle", "boat")  # of any colour
PAIRS = tuple(combinations(ORDERED, 2))
ACTIVITIES, VIEWS = 500, 6  # activities and pictures in a scene
WITHIN, LEAST = 0.35, 0.1  # radians from where the eyes go, and reach over distance, to be tried
BOTH = 0.02  # share of a picture that both of them fill at least
MOST = 6  # trials of a pair of nouns and a kind of relation


@dataclass(frozen=True)
class _View:
    """A picture of both things, and for each kind of relation that they have what stands for
    {one} and {other} in its patterns."""

    jpeg: bytes
    words: dict[str, tuple[str, str]]


def order_folder(out: Path, nouns: tuple[str, str]) -> Path:
    return out / "word_order" / "_".join(nouns)


def make_word_order_trials(
    seed: int, size: int, scenes: int, out: Path, number: int
) -> list[dict[str, Any]]:
    """The trials of one of `PAIRS`, of so many scenes, their pictures written below `out`."""
    nouns = PAIRS[number]
    rng = np.random.default_rng([seed, STREAMS["order"], number])
    weights = {noun: 1e6 if noun in nouns else 1.0 for noun in NOUNS}
    views: list[_View] = []
    for _ in range(scenes):
        if all(len(_opposite_pairs(views, kind)) >= MOST for kind in RELATIONS):
            break
        scene = make_scene(str(rng.choice(list(ROOMS))), rng, weights)
        found = [thing.noun for thing in scene.things]
        if set(nouns) <= set(found):
            views += _clear_views(scene, found.index(nouns[0]), found.index(nouns[1]), size, rng)
    folder = order_folder(out, nouns)
    trials = []
    for kind, patterns in RELATIONS.items():
        for one, other in _opposite_pairs(views, kind)[:MOST]:
            texts, names = [], []
            for view in (one, other):
                first, second = view.words[kind]
                texts.append(patterns[0].format(one=first, other=second))
                path = folder / f"{'_'.join(nouns)}_{views.index(view):03}.jpeg"
                path.write_bytes(view.jpeg)
                names.append(str(path.relative_to(out)))
            trials.append({
                "kind": kind,
                "nouns": list(nouns),
                "utterances": texts,
                "img_filenames": names,
            })  # fmt: skip
    return trials


def _clear_views(scene: HomeScene, one: int, other: int, size: int, rng: Rng) -> list[_View]:
    """Up to `VIEWS` pictures, each of another activity, in which both things are in clear view."""
    activities = _promising(scene, one, other, rng)
    if not activities:
        return []
    camera = HeadCamera(scene, activities, size, rng)
    found: list[_View] = []
    for activity in activities:
        view = camera.draw(int(rng.integers(activity.start, activity.end)))
        pairs = together([view])
        pair = (one, other) if (one, other) in pairs else (other, one)
        if view.shares[list(pair)].min() < BOTH or len(found) == VIEWS:
            continue
        words = phrases(scene.things[pair[0]], scene.things[pair[1]], pairs[pair])
        if "colors" in words:  # true in either order: always in the same one
            words["colors"] = phrases(scene.things[one], scene.things[other], False)["colors"]
        found.append(_View(encode_jpeg(view.rgb, QUALITY), words))
    return found


def _promising(scene: HomeScene, one: int, other: int, rng: Rng) -> list[Activity]:
    """Activities of which one thing is the focus and the other is where the eyes go as well."""
    activities: list[Activity] = []
    for number in range(ACTIVITIES):
        focus, beside = ((one, other), (other, one))[number % 2]
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        activity = make_activity(scene, kind, focus, activities[-1].end if activities else 0, rng)
        thing = scene.things[beside]
        ahead = activity.target - activity.eye
        aside = scene.places[beside] + [0, 0, thing.height / 2] - activity.eye
        far = float(np.linalg.norm(aside))
        angle = np.arccos(np.clip(ahead @ aside / (far * np.linalg.norm(ahead)), -1, 1))
        if angle < WITHIN and thing.reach / far > LEAST:
            activities.append(activity)
    return activities


def _opposite_pairs(views: Sequence[_View], kind: str) -> list[tuple[_View, _View]]:
    """Pairs of views of which the same words are true in another order, each view in one pair."""
    left = [view for view in views if kind in view.words]
    pairs = []
    while left:
        view = left.pop(0)
        words = sorted(" ".join(view.words[kind]).split())
        for other in left:
            same = sorted(" ".join(other.words[kind]).split()) == words
            if same and other.words[kind] != view.words[kind]:
                left.remove(other)
                pairs.append((view, other))
                break
    return pairs
