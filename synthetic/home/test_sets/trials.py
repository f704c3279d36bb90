"""Trial files of forced choice: a word, one picture that shows it and some that show others.

The layout is CVCL's (`eval_test.json`): `{"data": [{"trial_num", "target_category",
"target_img_filename", "foil_categories", "foil_img_filenames"}]}`, file names relative to the
corpus. Clips have lists of frames in the place of file names, see `verb_trials`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from firsthand.synthetic.home.behaviour.verbs import REVERSED
from firsthand.synthetic.home.world.furnishings import Rng

Images = Mapping[str, Sequence[str]]  # category -> file names
Trials = dict[str, list[dict[str, Any]]]


def category_trials(images: Images, count: int, foils: int, rng: Rng) -> Trials:
    """`count` trials a category; targets are drawn at random, foils from other categories."""
    trials = []
    for category, names in images.items():
        for number in range(count):
            target = names[int(rng.integers(len(names)))]
            trials.append(_trial(images, number, category, target, foils, rng))
    return {"data": trials}


def object_trials(images: Images, repeats: int, rng: Rng) -> Trials:
    """Every picture is the target `repeats` times, against three others, as with Konkle's."""
    trials = [
        _trial(images, 0, category, name, 3, rng)
        for category, names in images.items()
        for name in names
        for _ in range(repeats)
    ]
    return {"data": [trial | {"trial_num": number} for number, trial in enumerate(trials)]}


def _trial(
    images: Images, number: int, category: str, target: str, foils: int, rng: Rng
) -> dict[str, Any]:
    others = [other for other in images if other != category]
    chosen = [str(other) for other in rng.choice(others, foils, replace=False)]
    return {
        "trial_num": number,
        "target_category": category,
        "target_img_filename": target,
        "foil_categories": chosen,
        "foil_img_filenames": [str(rng.choice(list(images[other]))) for other in chosen],
    }


Clips = Mapping[tuple[str, str], Sequence[Sequence[str]]]  # (noun, verb) -> clips' frames in order


def verb_trials(clips: Clips, opposites: bool, rng: Rng) -> Trials:
    """Every clip is the target once, against clips of other verbs with the same noun.

    Foils are three verbs, or with `opposites` only the one that is the target backwards. "still"
    is the frame, of the target's and each foil's, that a judge of single pictures gets to see: a
    moment at random, because only then do pictures say nothing of the verb.
    """
    verbs = sorted({verb for _, verb in clips})
    trials = []
    for (noun, verb), of_verb in clips.items():
        others = [REVERSED[verb]] if verb in REVERSED else []
        if not opposites:
            others = [other for other in verbs if other != verb]
        for target in of_verb if others else ():
            count = 1 if opposites else 3
            chosen = [str(other) for other in rng.choice(others, count, replace=False)]
            foils = [clips[noun, v][int(rng.integers(len(clips[noun, v])))] for v in chosen]
            trials.append({
                "trial_num": len(trials),
                "noun": noun,
                "target_verb": verb,
                "target_frame_filenames": list(target),
                "foil_verbs": chosen,
                "foil_frame_filenames": [list(foil) for foil in foils],
                "still": [int(rng.integers(len(clip))) for clip in (target, *foils)],
            })  # fmt: skip
    return {"data": trials}
