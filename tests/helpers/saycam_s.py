"""Writes a corpus as the official code leaves SAYCam-S (wkvong/multimodal-baby), of colours.

train_5fps/S_20140420_1803_01_082_00.jpg …           frames of 224 x 224
train.json val.json test.json train_shuffled.json    utterances, already cut into words
vocab.json                                           words said three times or more
eval/{dev,test}/CATEGORY/*.jpeg                      labelled frames, some of words never said
eval_{dev,test}.json and their variants              trials, by the absolute paths of that machine
object_categories/CATEGORY/*.jpg                     objects on white, of other sizes
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {
    "ball": (220, 30, 30),
    "car": (30, 200, 30),
    "cat": (30, 30, 220),
    "crib": (220, 220, 30),
    "door": (30, 220, 220),
    "sand": (220, 30, 220),
}
NEVER_SAID = ("carseat", "couch", "greenery", "plushanimal")  # left out of official trials
THEIRS = "/misc/vlgscratch4/LakeGroup/shared_data/S_multimodal"
SAID = (
    "look at the {} .",
    "where 's the {} ?",
    "it 's a {}",
    "you want the {} ?",
    "yeah",
    "okay ,",
)


def write_saycam_s(root: Path, utterances: int = 160) -> Path:
    """The corpus in `root`. What is called "cat" in trials is a "kitty" to the child."""
    random = np.random.default_rng(0)
    rows = [_utterance(root, number, random) for number in range(utterances)]
    order = random.permutation(utterances)
    train, val = int(0.9 * utterances), int(0.05 * utterances)
    parts = np.split(order, [train, train + val])
    for name, numbers in zip(("train", "val", "test"), parts, strict=True):
        _write(root / f"{name}.json", {"data": [rows[number] for number in numbers]})
    learned = [rows[number] for number in parts[0]]
    texts = random.permutation([row["utterance"] for row in learned]).tolist()
    mixed = [{**row, "utterance": text} for row, text in zip(learned, texts, strict=True)]
    _write(root / "train_shuffled.json", {"data": mixed})
    _write(root / "vocab.json", _vocabulary(row["utterance"] for row in learned))
    _evaluation(root, random)
    return root


def _utterance(root: Path, number: int, random: np.random.Generator) -> dict:
    category = (*COLOURS,)[number % len(COLOURS)]
    called = {"cat": "kitty"}.get(category, category)
    stem, spoken = f"S_201404{20 + number // 40}_1803_01", number % 40 + 1
    frames = 1 + number % 3
    names = [f"{stem}_{spoken:03}_{frame:02}.jpg" for frame in range(frames)]
    for name in names:
        _picture(root / "train_5fps" / name, COLOURS[category], random)
    begun = 4.0 * spoken
    return {
        "utterance": SAID[number // len(COLOURS) % len(SAID)].format(called),
        "transcript_filename": f"{stem}.csv",
        "video_filename": f"{stem}.mp4",
        "utterance_num": spoken,
        "num_frames": frames,
        "timestamps": [begun + 0.2 * frame for frame in range(frames)],
        "frame_filenames": names,
    }


def _vocabulary(utterances: Iterable[str]) -> dict[str, int]:
    counts = Counter(word for utterance in utterances for word in utterance.split(" "))
    kept = sorted((w for w, n in counts.items() if n >= 3), key=lambda word: (-counts[word], word))
    return {word: i for i, word in enumerate(("<pad>", "<unk>", "<sos>", "<eos>", *kept))}


def _evaluation(root: Path, random: np.random.Generator) -> None:
    for stage in ("dev", "test"):
        shown: dict[str, list[str]] = {}
        for category in (*COLOURS, *NEVER_SAID):
            colour = COLOURS.get(category, (90, 90, 90))
            names = [f"eval/{stage}/{category}/{number:05}.jpeg" for number in range(8)]
            for name in names:
                _picture(root / name, colour, random)
            if category in COLOURS:
                shown[category] = names
        _trials(root / f"eval_{stage}.json", shown, 4, random)
        _trials(root / f"eval_{stage}_9_foils.json", shown, 5, random)
        _trials(root / f"eval_{stage}_21_foils.json", shown, 6, random)
        _trials(root / f"eval_filtered_{stage}.json", shown, 4, random)
    few = {category: shown[category] for category in (*COLOURS,)[:4]}
    _trials(root / "eval_manual_filtered_test.json", few, 4, random)
    objects: dict[str, list[str]] = {}
    for category, colour in COLOURS.items():
        objects[category] = [f"object_categories/{category}/{n:02}.jpg" for n in range(5)]
        for name in objects[category]:
            _picture(root / name, colour, random, size=(256, 240))
    _trials(root / "eval_object_categories.json", objects, 4, random)


def _trials(
    path: Path, shown: Mapping[str, Sequence[str]], choices: int, random: np.random.Generator
) -> None:
    trials = []
    for category in sorted(shown):
        for number in range(6):
            others = sorted(set(shown) - {category})
            foils = random.choice(others, choices - 1, replace=False).tolist()
            images = [f"{THEIRS}/{random.choice(shown[name])}" for name in (category, *foils)]
            trials.append({
                "trial_num": number,
                "target_category": category,
                "target_img_filename": images[0],
                "foil_categories": foils,
                "foil_img_filenames": images[1:],
            })  # fmt: skip
    _write(path, {"data": trials})


def _picture(
    path: Path,
    colour: tuple[int, int, int],
    random: np.random.Generator,
    size: tuple[int, int] = (224, 224),
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.array(colour) + random.integers(-30, 31, (8, 8, 3))
    picture = Image.fromarray(np.clip(coarse, 0, 255).astype(np.uint8))
    picture.resize(size, Image.Resampling.NEAREST).save(path, "JPEG")


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))
