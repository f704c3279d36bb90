"""The test sets of a corpus: trials of forced choice, their images and labels."""

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
IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png")
FOILS = re.compile(r"_\d+_foils(?=\.\w+$)")


@dataclass(frozen=True)
class TestSet:
    """The trials of one file."""

    __test__ = False  # pytest takes it for a test

    name: str
    trials: tuple[ForcedChoiceTrial, ...]
    paths: dict[str, Path]
    """Path of each image, by its name in the trials."""
    shrunk: bool
    """Whether images are shown half as large, on white."""

    @property
    def title(self) -> str:
        return TITLES.get(self.name, self.name)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The target words."""
        return tuple(sorted({trial.word for trial in self.trials}))

    @cached_property
    def labels(self) -> dict[str, str]:
        """The category of each image, by its name."""
        pairs = [zip(trial.images, trial.categories, strict=True) for trial in self.trials]
        return {image: category for pair in pairs for image, category in pair}

    def with_words(self, words: Sequence[str]) -> "TestSet | None":
        """The trials with one of these targets, and their images; None if there are none."""
        trials = tuple(trial for trial in self.trials if trial.word in words)
        named = {image for trial in trials for image in trial.images}
        paths = {image: path for image, path in self.paths.items() if image in named}
        return replace(self, trials=trials, paths=paths) if trials else None


def find_test_sets(root: Path, config: GroundEvalConfig) -> dict[str, TestSet]:
    """Test sets by the name of their file.

    Raises:
        UserError: there are none, or a file or image is missing or malformed.
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


def without_repeated_images(sets: dict[str, TestSet]) -> list[str]:
    """The sets without those that have the images of another with more foils."""
    return [name for name in sets if FOILS.sub("", name) == name or FOILS.sub("", name) not in sets]


def labelled_images(root: Path) -> dict[str, list[Path]]:
    """The images of each category: those in its folder in `eval/dev`."""
    folders = sorted(path for path in (root / "eval" / "dev").glob("*") if path.is_dir())
    found = {
        folder.name: sorted(path for path in folder.iterdir() if _is_image(path))
        for folder in folders
        if not is_hidden(folder.name)
    }
    return {category: images for category, images in found.items() if images}


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not is_hidden(path.name)


def _read(root: Path, name: str, config: GroundEvalConfig) -> TestSet:
    here = Path(name)  # in the working directory, else in the corpus
    trials = tuple(read_trials(here if here.is_file() else root / name))
    paths: dict[str, Path] = {}
    for trial in trials:
        if any(image not in paths for image in trial.images):
            paths |= dict(zip(trial.images, locate(root, trial, config.links), strict=True))
    return TestSet(name, trials, paths, name in config.shrunk)
