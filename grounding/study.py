"""A study: word-grounding models that learned from one corpus and differ in one thing.

study.json             {"root", "corpus": {…}, "members": [{"variant", "seed", "path"}]}
natural/seed_0/ …      a folder a model, as `grounding.train` leaves it

`grounding.train_study` writes it, `grounding.evaluation` reads it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from firsthand.common.atomic import write_text
from firsthand.common.errors import UserError
from firsthand.episodes.untrusted.trust import inside, load_json

STUDY = "study.json"

Variant = Literal["natural", "shuffled", "random", "still", "jumbled", "weighted"]
VARIANTS: tuple[Variant, ...] = ("natural", "shuffled", "random")  # CVCL's
NATURAL: Variant = "natural"  # learns from utterances with the frames of their own time

# What tables call a variant, controls first; those that are not here go by their own name.
LABELS = {
    "shuffled": "shuffled utterances",
    "random": "random features",
    "still": "one picture",
    "jumbled": "clips out of order",
    NATURAL: "CVCL",
    "weighted": "CVCL, weighted pairs",
}


def variant_label(variant: str) -> str:
    """What tables call a variant."""
    return LABELS.get(variant, variant)


@dataclass(frozen=True)
class Member:
    """One model of a study."""

    variant: str
    """One of `Variant`, or any other name that a file has."""
    seed: int
    path: str
    """In a study that trains, or is read from its file: the folder of its run, relative to the
    study's. In one that is evaluated (`read_studies`): where the model is saved, or a hub id."""


@dataclass(frozen=True)
class Study:
    """Which models learned from which corpus."""

    root: Path | None
    """The corpus; None if it is not known."""
    corpus: Mapping[str, Any]
    """Its `home.json`: the settings it was made with, and counts; empty if it has none."""
    members: tuple[Member, ...]
    name: str = ""
    """The folder it was read from, or its models; not part of the file."""

    @classmethod
    def of(cls, root: Path, variants: Sequence[Variant], seeds: Sequence[int]) -> "Study":
        """Every variant with every seed.

        Raises:
            UserError: there are none, or one comes twice.
        """
        for name, values in (("variants", variants), ("seeds", seeds)):
            if not values or len(set(values)) < len(values):
                raise UserError(f"{name} must name at least one, and none twice: {list(values)}")
        settings = root / "home.json"
        corpus = load_json(settings) if settings.exists() else {}
        members = [Member(v, s, f"{v}/seed_{s}") for s in seeds for v in variants]
        return cls(root.resolve(), corpus, tuple(members))

    @classmethod
    def read(cls, folder: Path) -> "Study":
        """The study in a folder.

        Raises:
            UserError: its file is missing or damaged, or a path in it leads out of the folder.
        """
        path = folder / STUDY
        content = load_json(path)
        rows = content.get("members") if isinstance(content, dict) else None
        if not isinstance(rows, list) or not rows:
            raise UserError(f"{path}: holds no list of models under 'members'")
        fields = {"variant": str, "seed": int, "path": str}
        members = []
        for number, row in enumerate(rows):
            if not isinstance(row, dict) or any(
                type(row.get(k)) is not v for k, v in fields.items()
            ):
                raise UserError(f"{path}: model {number} has no variant, seed and path")
            inside(folder, row["path"])
            members.append(Member(**{name: row[name] for name in fields}))
        root, corpus = content.get("root"), content.get("corpus")
        if not isinstance(root, str):
            raise UserError(f"{path}: root is {root!r:.100}, no text")
        corpus = corpus if isinstance(corpus, dict) else {}
        return cls(Path(root), corpus, tuple(members), str(folder))

    def write(self, folder: Path) -> None:
        """Leave `study.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        members = [vars(member) for member in self.members]
        content = {"root": str(self.root), "corpus": dict(self.corpus), "members": members}
        write_text(folder / STUDY, json.dumps(content, indent=1) + "\n")

    @property
    def alignment(self) -> float | None:
        """The share of the corpus's utterances that name something in view, where that is known."""
        share = self.corpus.get("aligned")
        return float(share) if isinstance(share, int | float) else None

    @property
    def variants(self) -> list[str]:
        """Controls first."""
        found = dict.fromkeys(member.variant for member in self.members)
        known = [variant for variant in LABELS if variant in found]
        return known + [variant for variant in found if variant not in LABELS]

    @property
    def main(self) -> str:
        """The variant that others are compared with."""
        names = self.variants
        return NATURAL if NATURAL in names else names[-1]

    @property
    def main_model(self) -> Member:
        """The model of the main variant that figures are drawn of: the first."""
        return next(member for member in self.members if member.variant == self.main)


def read_studies(sources: Sequence[str], checkpoint: str) -> list[Study]:
    """What is meant by runs, saved models and hub ids; single models make one study together.

    checkpoint: which model of a run, `last` or `best`. The members' paths are those of the models.

    Raises:
        UserError: a run's file cannot be read, or there is no model.
    """
    studies: list[Study] = []
    alone: list[Member] = []
    for source in sources:
        path = Path(source)
        if (path / STUDY).is_file():
            study = Study.read(path)
            members = [
                replace(member, path=_saved(inside(path, member.path), checkpoint))
                for member in study.members
            ]
            studies.append(replace(study, members=tuple(members)))
        else:
            alone.append(Member(NATURAL, len(alone), _saved(path, checkpoint)))
    if alone:
        name = ", ".join(member.path for member in alone)
        studies.append(Study(None, {}, tuple(alone), name))
    return studies


def _saved(path: Path, checkpoint: str) -> str:
    """The model of a run, a saved one, or one from the hub."""
    from firsthand.grounding.model import FILES
    from firsthand.policy.checkpoints.model_path import locate, within

    folder = path / "checkpoints"
    if (path / "config.yaml").is_file() and within(path) is None:
        raise UserError(
            f"{path}: has not learned anything yet: `firsthand ground resume=true run={path}` goes "
            "on with it"
        )
    try:
        if folder.is_dir():
            return str(locate(folder / checkpoint / "policy", FILES, "word-grounding model"))
        return str(locate(str(path), FILES, "word-grounding model"))
    except ValueError as error:
        raise UserError(str(error)) from error
