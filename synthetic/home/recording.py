"""One recording of a child's day: what the head camera saw and what was said meanwhile.

A pure function of a seed and a number, whoever makes it and in whatever order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from firsthand.episodes.formats.saycam.utterances import Utterance, frame_name
from firsthand.episodes.jpeg import encode_jpeg
from firsthand.synthetic.home.behaviour.activities import FPS, Activity, plan
from firsthand.synthetic.home.camera.view import HeadCamera, HomeFrame
from firsthand.synthetic.home.language.relations import relate, together
from firsthand.synthetic.home.language.speech import Moment, speak
from firsthand.synthetic.home.world.furnishings import Rng
from firsthand.synthetic.home.world.house import ROOMS
from firsthand.synthetic.home.world.nouns import Thing
from firsthand.synthetic.home.world.scene import HomeScene, make_scene, noun_weights

QUALITY = 90
LONGEST = 32  # frames of an utterance at most, as in SAYCam-S
SHORTEST = 3  # frames; a shorter gap is silence
STREAMS = {"train": 0, "dev": 1, "test": 2, "rooms": 3, "objects": 4, "verbs": 5, "order": 6}


@dataclass(frozen=True)
class Spoken:
    """An utterance, its frames as JPEG bytes, and what was in view: noun -> share of the picture,
    the mean over the frames."""

    row: Utterance
    jpegs: tuple[bytes, ...]
    in_view: Mapping[str, float]
    verb: str  # what is done meanwhile, if the utterance lasts as long as that


def generators(seed: int, stream: str, index: int) -> list[Rng]:
    """Independent generators for scene, activities, camera, words and relations of a recording."""
    seeds = np.random.SeedSequence([seed, STREAMS[stream], index]).spawn(5)
    return [np.random.default_rng(s) for s in seeds]


def record_home(
    seed: int, index: int, seconds: float, size: int, alignment: float, related: float
) -> Iterator[Spoken]:
    """The utterances of recording number `index`, one after the other."""
    scene_rng, activity_rng, head_rng, word_rng, relation_rng = generators(seed, "train", index)
    kind = list(ROOMS)[int(scene_rng.integers(len(ROOMS)))]
    scene = make_scene(kind, scene_rng, noun_weights(kind))
    count = round(seconds * FPS)
    activities = plan(scene, count, activity_rng)
    camera = HeadCamera(scene, activities, size, head_rng)
    spans = utterance_spans(activities, count, activity_rng)
    moments: list[Moment] = []
    jpegs: list[tuple[bytes, ...]] = []
    for begin, end, activity in spans:
        drawn = [camera.draw(frame) for frame in range(begin, end)]
        moments.append(_moment(scene.things, drawn, activity, begin, end))
        jpegs.append(tuple(encode_jpeg(view.rgb, QUALITY) for view in drawn))
    words = speak(moments, scene.things, alignment, word_rng)
    words = relate(words, moments, scene.things, related, relation_rng)
    name = f"N_{index:06}"
    for number, (text, moment, encoded, span) in enumerate(
        zip(words, moments, jpegs, spans, strict=True), start=1
    ):
        times = tuple(frame / FPS for frame in range(span[0], span[1]))
        names = tuple(frame_name(name, number, k) for k in range(len(encoded)))
        row = Utterance(text, f"{name}.csv", f"{name}.mp4", number, len(times), times, names)
        yield Spoken(row, encoded, in_view(moment, scene), moment.verb)


def in_view(moment: Moment, scene: HomeScene) -> dict[str, float]:
    """Noun -> mean share of the picture, of everything that is nameable."""
    return {scene.things[i].noun: round(moment.seen[i], 4) for i in moment.nameable()}


def utterance_spans(
    activities: Sequence[Activity], count: int, rng: Rng
) -> list[tuple[int, int, Activity]]:
    """When somebody speaks: frames from, frames to, and the activity that it belongs to.

    What is done with a thing is spoken of while it is done; of what is looked at, a name may come
    before it is in view, or stay when the eyes have gone on. Long looks are spoken of twice.
    """
    starts: dict[int, Activity] = {}
    free = 0  # what is done until here has its own words
    for activity in activities:
        if activity.kind == "verb":
            if free == activity.begin:
                starts[activity.begin] = replace(activity, kind="away", focus=-1, verb="")
            starts[activity.start] = activity
            free = activity.end
            continue
        start = (
            activity.begin if free == activity.begin else activity.start + int(rng.integers(-2, 3))
        )
        starts[start] = activity
        if activity.end - start >= 14 and rng.random() < 0.7:
            starts[start + int(rng.integers(6, activity.end - start - 5))] = activity
    edges = [*sorted(start for start in starts if start < count), count]
    spans = []
    for begin, end in zip(edges[:-1], edges[1:], strict=True):
        if min(end, begin + LONGEST) - begin >= SHORTEST:
            spans.append((begin, min(end, begin + LONGEST), starts[begin]))
    return spans


def _moment(
    things: Sequence[Thing], drawn: Sequence[HomeFrame], activity: Activity, begin: int, end: int
) -> Moment:
    shares = np.stack([view.shares for view in drawn])
    mean, most = shares.mean(0), shares.max(0)
    whole = activity.kind == "verb" and (begin, end) == (activity.start, activity.end)
    return Moment(
        {i: float(share) for i, share in enumerate(mean)},
        {thing.noun: float(share) for thing, share in zip(things, most, strict=True)},
        activity.focus,
        activity.verb if whole else "",
        together(drawn),
    )
