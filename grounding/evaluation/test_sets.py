"""The test sets of a corpus: trials, the pictures in them and what these show."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from firsthand.common.errors import UserError
from firsthand.episodes.formats.dataset_folder import is_hidden
from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.trials import ForcedChoiceTrial, locate, read_trials

# Files by their name, CVCL's, the home's and those that circulate, and what tables call them.
TITLES = {
    "eval_test.json": "frames",
    "eval_test_9_foils.json": "frames, 10 choices",
    "eval_test_21_foils.json": "frames, 22 choices",
    "eval_filtered_test.json": "filtered by CLIP",
    "eval_manual_filtered_test.json": "filtered by hand",
    "labeled_s.csv": "Labeled-S",
    "eval_new_rooms.json": "new rooms",
    "eval_object_categories.json": "on white",
}
PICTURES = (".jpeg", ".jpg", ".png")
FOILS = re.compile(r"_\d+_foils(?=\.\w+$)")


@dataclass(frozen=True)
class TestSet:
    """Trials of one file. `places` says where each picture lies by its name in them."""

    __test__ = False  # pytest takes it for a test

    name: str
    trials: tuple[ForcedChoiceTrial, ...]
    places: dict[str, Path]
    shrunk: bool

    @property
    def title(self) -> str:
        return TITLES.get(self.name, self.name)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What is asked for."""
        return tuple(sorted({trial.word for trial in self.trials}))

    @cached_property
    def shown(self) -> dict[str, str]:
        """What each picture shows."""
        pairs = [zip(trial.images, trial.categories, strict=True) for trial in self.trials]
        return {image: category for pair in pairs for image, category in pair}

    def asking(self, words: Sequence[str]) -> "TestSet | None":
        """The trials that ask for one of these words, if there are any, with their pictures."""
        trials = tuple(trial for trial in self.trials if trial.word in words)
        named = {image for trial in trials for image in trial.images}
        places = {image: path for image, path in self.places.items() if image in named}
        return replace(self, trials=trials, places=places) if trials else None


def find_test_sets(root: Path, config: GroundEvalConfig) -> dict[str, TestSet]:
    """By the name of their file.

    Raises:
        UserError: there are none, or a file or picture is missing or malformed.
    """
    names = config.trials or tuple(name for name in TITLES if (root / name).is_file())
    if not names:
        raise UserError(
            f"{root}: holds none of {', '.join(TITLES)}; name your trials with trials=[FILE,…]"
            + (
                "; a home that was made with home.evaluation=false has none: make it with true"
                if (root / "home.json").is_file()
                else ""
            )
        )
    return {name: _read(root, name, config) for name in names}


def with_other_pictures(sets: dict[str, TestSet]) -> list[str]:
    """The sets without those that show the pictures of another against more foils."""
    return [name for name in sets if FOILS.sub("", name) == name or FOILS.sub("", name) not in sets]


def labelled_pictures(root: Path) -> dict[str, list[Path]]:
    """The pictures in `eval/dev` by what they show: of each category the folder of its name."""
    folders = sorted(path for path in (root / "eval" / "dev").glob("*") if path.is_dir())
    found = {
        folder.name: sorted(path for path in folder.iterdir() if _is_picture(path))
        for folder in folders
        if not is_hidden(folder.name)
    }
    return {category: pictures for category, pictures in found.items() if pictures}


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURES and not is_hidden(path.name)


def _read(root: Path, name: str, config: GroundEvalConfig) -> TestSet:
    here = Path(name)  # what is named is looked for in the working directory, then in the corpus
    trials = tuple(read_trials(here if here.is_file() else root / name))
    places: dict[str, Path] = {}
    for trial in trials:
        if any(picture not in places for picture in trial.images):
            places |= dict(zip(trial.images, locate(root, trial, config.links), strict=True))
    return TestSet(name, trials, places, name in config.shrunk)
