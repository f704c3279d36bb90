"""A caregiver's words: of what is in view as often as is asked for, of other things otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from firsthand.synthetic.home.language.phrases import (
    ABSENT,
    CHATTER,
    DOING,
    FILLINGS,
    FORMS,
    NAMING,
)
from firsthand.synthetic.home.world.furnishings import Rng
from firsthand.synthetic.home.world.nouns import NOUNS, Thing

IN_VIEW = 0.01  # share of the picture that a thing fills at least while it is in view
OUT_OF_SIGHT = 0.0005  # and at most while it is not
NAMED = 0.25  # of what is said of nothing in view, the share that names something else


@dataclass(frozen=True)
class Moment:
    """What there is to talk about while an utterance lasts.

    `seen` are the shares of the picture that things fill, averaged over its frames, by number;
    `most` the largest share a noun ever fills in them. `focus` is the thing attended to (-1: none)
    and `verb` what happens to it, if the utterance lasts as long as that. `together` are pairs of
    things seen at the same time, the nearer first, and whether it is clearly nearer.
    """

    seen: Mapping[int, float]
    most: Mapping[str, float]
    focus: int
    verb: str = ""
    together: Mapping[tuple[int, int], bool] = field(default_factory=dict)

    def nameable(self) -> list[int]:
        return [thing for thing, share in self.seen.items() if share >= IN_VIEW]


def speak(
    moments: Sequence[Moment], things: Sequence[Thing], alignment: float, rng: Rng
) -> list[str]:
    """An utterance for every moment; a share `alignment` of them names something in view.

    Which ones do is drawn at random among those in which something is in view; where these are
    fewer than asked for, all of them do.
    """
    wanted = alignment * len(moments)
    count = int(wanted) + (rng.random() < wanted % 1)
    possible = [i for i, moment in enumerate(moments) if moment.nameable()]
    # What is attended to and happens invites words.
    appeal = np.array(
        [1.0 + (moments[i].focus >= 0) + 3.0 * bool(moments[i].verb) for i in possible]
    )
    keys = np.log(rng.random(len(possible))) / appeal  # weighted sampling (Efraimidis, Spirakis)
    naming = {possible[i] for i in np.argsort(-keys)[:count]}
    return [
        _name(moment, things, rng) if i in naming else _digress(moment, rng)
        for i, moment in enumerate(moments)
    ]


def named(utterance: str) -> set[str]:
    """The nouns that an utterance names."""
    return {word for word in utterance.split() if word in NOUNS}


def zipfian(choices: Sequence[str], rng: Rng) -> str:
    """One of several, the earlier the likelier: by one over rank plus 2."""
    weights = 1 / (np.arange(len(choices)) + 2.0)
    return choices[rng.choice(len(choices), p=weights / weights.sum())]


def _name(moment: Moment, things: Sequence[Thing], rng: Rng) -> str:
    nameable = moment.nameable()
    if moment.focus in nameable and rng.random() < 0.9:
        thing = moment.focus
    else:
        shares = np.array([moment.seen[i] for i in nameable])
        thing = nameable[rng.choice(len(nameable), p=shares / shares.sum())]
    does = moment.verb and thing == moment.focus and rng.random() < 0.8
    pattern = zipfian(DOING if does else NAMING, rng)
    verb, ing, past = FORMS[moment.verb] if does else ("", "", "")
    made = things[thing]
    return _fill(pattern, made.noun, made.color, made.size, rng, verb=verb, ing=ing, past=past)


def _digress(moment: Moment, rng: Rng) -> str:
    """Words about nothing in view."""
    away = [noun for noun in NOUNS if moment.most.get(noun, 0.0) <= OUT_OF_SIGHT]
    if rng.random() > NAMED:
        pattern = zipfian(CHATTER, rng)
        return pattern.format(**{slot: zipfian(words, rng) for slot, words in FILLINGS.items()})
    noun = zipfian(away, rng)
    if rng.random() < 0.3:
        verb, ing, past = FORMS[str(rng.choice(list(FORMS)))]
        return _fill(zipfian(DOING, rng), noun, "", "", rng, verb=verb, ing=ing, past=past)
    return _fill(zipfian(ABSENT, rng), noun, "", "", rng)


def _fill(pattern: str, noun: str, color: str, size: str, rng: Rng, **verbs: str) -> str:
    """The pattern with the thing's description; adjectives are true, and not always said."""
    adjectives = [
        word for word, share in ((size, 0.4), (color, 0.3)) if word and rng.random() < share
    ]
    thing = " ".join([*adjectives, noun])
    the = f"{rng.choice(['the', 'the', 'the', 'your', 'that', 'this'])} {thing}"
    a = f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"
    return pattern.format(noun=noun, the=the, a=a, **verbs)
