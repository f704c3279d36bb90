"""What is said of two things at once, in words whose order tells which is which.

Only relations that a mirror leaves as they are, since pictures are flipped for training: which of
two things is nearer to the viewer, and which of them has which colour.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from firsthand.synthetic.home.camera.view import HomeFrame
from firsthand.synthetic.home.language.phrases import FORMS, RELATIONS
from firsthand.synthetic.home.language.speech import IN_VIEW, Moment, named, zipfian
from firsthand.synthetic.home.world.furnishings import Rng
from firsthand.synthetic.home.world.nouns import Thing

APART = 1.3  # how many times as far away a thing is at least that is behind another
_DEEDS = {form for forms in FORMS.values() for form in forms}


def together(drawn: Sequence[HomeFrame]) -> dict[tuple[int, int], bool]:
    """Pairs of things that are in view at the same time, the nearer first.

    The value says whether it is clearly nearer, all the time.
    """
    shares = np.stack([view.shares for view in drawn])
    distances = np.stack([view.distances for view in drawn])
    in_view = [i for i, share in enumerate(shares.mean(0)) if share >= IN_VIEW]
    found = {}
    for one, other in combinations(in_view, 2):
        if np.minimum(shares[:, one], shares[:, other]).mean() >= IN_VIEW:
            near, far = (one, other) if distances[0, one] <= distances[0, other] else (other, one)
            clear = (distances[:, far] >= APART * distances[:, near]).all()
            found[near, far] = bool(clear)
    return found


def phrases(near: Thing, far: Thing, clear: bool) -> dict[str, tuple[str, str]]:
    """The relations that two things have, and what fills in "{one}" and "{other}" for each."""
    found = {}
    if clear:
        found["in front of"] = near.noun, far.noun
        found["behind"] = far.noun, near.noun
    if near.color and far.color and near.color != far.color:
        found["colors"] = f"{near.color} {near.noun}", f"{far.color} {far.noun}"
    return found


def relate(
    words: Sequence[str],
    moments: Sequence[Moment],
    things: Sequence[Thing],
    share: float,
    rng: Rng,
) -> list[str]:
    """The utterances, of those that name something in view a share replaced by relations.

    What tells of a deed stays. Where the rest has fewer relations, all of them are used.
    """
    naming = 0
    able: dict[int, list[tuple[int, int]]] = {}
    for index, (text, moment) in enumerate(zip(words, moments, strict=True)):
        if not named(text) & {things[i].noun for i in moment.nameable()}:
            continue
        naming += 1
        pairs = _with_relation(moment.together, things)
        if pairs and not _DEEDS & set(text.split()):
            able[index] = pairs
    wanted = share * naming
    count = int(wanted) + (rng.random() < wanted % 1)
    texts = list(words)
    for index in rng.permutation(list(able))[:count]:
        near, far = able[index][int(rng.integers(len(able[index])))]
        clear = moments[index].together[near, far]
        ways = phrases(things[near], things[far], clear)
        kind = str(rng.choice(list(ways)))
        one, other = ways[kind]
        if kind == "colors" and rng.random() < 0.5:
            one, other = other, one
        texts[index] = zipfian(RELATIONS[kind], rng).format(one=one, other=other)
    return texts


def _with_relation(
    together: Mapping[tuple[int, int], bool], things: Sequence[Thing]
) -> list[tuple[int, int]]:
    return [
        (near, far)
        for (near, far), clear in together.items()
        if phrases(things[near], things[far], clear)
    ]
