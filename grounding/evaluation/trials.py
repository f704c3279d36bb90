"""Trial files: what they hold, checked field by field.

Forced choice, CVCL's JSON (`eval_test.json`): `{"data": [...]}` of `trial_num`, `target_category`,
`target_img_filename`, `foil_categories`, `foil_img_filenames`. The same as the table that
circulates (babylmms-eval's `labeled_s.csv`), a line an image: `trial_id`, `target_category`,
`real_category`, `image`.

Verbs (`eval_verbs.json`): `target_verb`, `target_frame_filenames` (in order), `foil_verbs`,
`foil_frame_filenames` (a list for each), and `still`: for each clip, the target's first, the number
of the frame that a model of single images gets.

Word order (`eval_word_order.json`): `kind`, two `utterances` and two `img_filenames`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firsthand.common.errors import UserError
from firsthand.episodes.untrusted.trust import inside, load_csv, load_json

COLUMNS = ("trial_id", "target_category", "real_category", "image")


@dataclass(frozen=True)
class ForcedChoiceTrial:
    word: str
    """The target."""
    categories: tuple[str, ...]
    """What each image shows, the target's first."""
    images: tuple[str, ...]
    """File names, in the same order."""

    def __post_init__(self) -> None:
        if len(self.categories) != len(self.images) or len(self.images) < 2:
            raise ValueError(
                f"{len(self.images)} pictures of {len(self.categories)} categories are no choice"
            )


@dataclass(frozen=True)
class VerbTrial:
    verbs: tuple[str, ...]
    """The action in each clip, the target's first."""
    clips: tuple[tuple[str, ...], ...]
    """File names of each clip's frames, in order."""
    still: tuple[int, ...]
    """The frame of each clip that a model of single images gets, from 0."""


@dataclass(frozen=True)
class OrderTrial:
    kind: str
    """The relation that the utterances report: by, behind, …"""
    utterances: tuple[str, str]
    """The first is true of the first image alone, the second of the second."""
    images: tuple[str, str]
    """File names."""


def read_trials(path: str | Path) -> list[ForcedChoiceTrial]:
    """The trials of a `.json` or `.csv` file.

    Raises:
        UserError: it is no such file, by its trial and field.
    """
    path = Path(path)
    if path.suffix == ".csv":
        return _from_lines(load_csv(path, COLUMNS), path)
    return [_forced_choice(row, where) for row, where in _rows(path)]


def read_verb_trials(path: Path) -> list[VerbTrial]:
    """Raises UserError: it is no such file, by its trial."""
    return [_verbs(row, where) for row, where in _rows(path)]


def read_order_trials(path: Path) -> list[OrderTrial]:
    """Raises UserError: it is no file of such trials, by its trial and field."""
    return [_word_order(row, where) for row, where in _rows(path)]


def locate(root: Path, trial: ForcedChoiceTrial, links: bool = False) -> list[Path]:
    """Paths of a trial's images: `root` and their name, or the folder of their category in `root`.

    Of absolute names (CVCL's are those of the machine that made the file) the longest end of two
    parts or more that exists in `root` is taken.

    Raises:
        UserError: there is no such image, its name leads out of `root`, or it is a link that does
            and `links` are not followed.
    """
    found = []
    for category, image in zip(trial.categories, trial.images, strict=True):
        parts = Path(image).parts
        ends = range(1, max(2, len(parts) - 1)) if os.path.isabs(image) else (0,)
        candidates = [inside(root, "/".join(parts[start:]), links) for start in ends]
        candidates.append(inside(root, f"{category}/{Path(image).name}", links))
        there = next((path for path in candidates if path.is_file()), None)
        if there is None:
            raise UserError(f"{candidates[-2]}: there is no such picture, nor {candidates[-1]}")
        found.append(there)
    return found


def _rows(path: Path) -> Iterator[tuple[Any, str]]:
    """The entries of a JSON file's `data`, or of a plain list, each with its name in messages."""
    content = load_json(path)
    rows = content.get("data") if isinstance(content, dict) else content
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{path}: holds no list of trials under 'data'")
    return ((row, f"{path}: trial {number}") for number, row in enumerate(rows))


def _verbs(row: Any, where: str) -> VerbTrial:
    try:
        verbs = (row["target_verb"], *row["foil_verbs"])
        clips = tuple(map(tuple, (row["target_frame_filenames"], *row["foil_frame_filenames"])))
        still = tuple(row["still"])
    except (TypeError, KeyError) as error:
        raise UserError(f"{where}: is no trial of verbs: {error!r}") from error
    if not len(verbs) == len(clips) == len(still) > 1:
        raise UserError(
            f"{where}: {len(verbs)} verbs, {len(clips)} clips and {len(still)} frames in `still` "
            "are no choice"
        )
    if not all(isinstance(text, str) for texts in (verbs, *clips) for text in texts):
        raise UserError(f"{where}: a verb or a file name is no text")
    if not all(
        isinstance(k, int) and 0 <= k < len(clip) for k, clip in zip(still, clips, strict=True)
    ):
        raise UserError(f"{where}: `still` is {list(still)}, the clips are shorter")
    return VerbTrial(verbs, clips, still)


def _word_order(row: Any, where: str) -> OrderTrial:
    if not isinstance(row, dict) or not isinstance(row.get("kind"), str):
        raise UserError(f"{where}: names no kind")
    texts, images = (_two(row, name, where) for name in ("utterances", "img_filenames"))
    return OrderTrial(row["kind"], texts, images)


def _two(row: Mapping[str, Any], name: str, where: str) -> tuple[str, str]:
    values = row.get(name)
    if (
        not isinstance(values, list)
        or len(values) != 2
        or not all(isinstance(value, str) and value.strip() for value in values)
    ):
        raise UserError(f"{where}: {name} is {values!r:.100}, not two texts")
    return values[0], values[1]


def _forced_choice(row: Any, where: str) -> ForcedChoiceTrial:
    if not isinstance(row, dict):
        raise UserError(f"{where}: is no table")
    word, target = (_text(row, name, where) for name in ("target_category", "target_img_filename"))
    categories, images = (
        _texts(row, name, where) for name in ("foil_categories", "foil_img_filenames")
    )
    if len(categories) != len(images) or not images:
        raise UserError(
            f"{where}: has {len(categories)} foil_categories and {len(images)} foil_img_filenames"
        )
    return ForcedChoiceTrial(word, (word, *categories), (target, *images))


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    if not isinstance(row.get(name), str):
        raise UserError(f"{where}: {name} is {row.get(name)!r:.100}, no text")
    return row[name]


def _texts(row: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    values = row.get(name)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise UserError(f"{where}: {name} is {values!r:.100}, no list of texts")
    return tuple(values)


def _from_lines(lines: Sequence[Mapping[str, str]], path: Path) -> list[ForcedChoiceTrial]:
    """Lines of a trial need not lie together; the target may stand anywhere among them."""
    together: dict[str, list[Mapping[str, str]]] = {}
    for line in lines:
        together.setdefault(line["trial_id"], []).append(line)
    if not together:
        raise UserError(f"{path}: holds no trials")
    trials = []
    for number, group in together.items():
        where, word = f"{path}: trial {number}", group[0]["target_category"]
        if any(line["target_category"] != word for line in group):
            raise UserError(f"{where}: has several target categories")
        targets = [line for line in group if line["real_category"] == word]
        if len(targets) != 1 or len(group) < 2:
            raise UserError(f"{where}: {len(targets)} of its {len(group)} pictures show a {word}")
        images = [*targets, *(line for line in group if line is not targets[0])]
        categories = tuple(line["real_category"] for line in images)
        trials.append(ForcedChoiceTrial(word, categories, tuple(line["image"] for line in images)))
    return trials
