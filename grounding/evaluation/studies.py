"""Models that were trained for one question: the same ones with other seeds, and their controls.

A run of `firsthand ground` says in `study.json` what it holds: `{"root", "corpus": {…},
"members": [{"variant", "seed", "path"}]}`, paths relative to the run.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firsthand.common.errors import UserError
from firsthand.episodes.untrusted.trust import inside, load_json

STUDY = "study.json"
NATURAL = "natural"  # the variant that learns from utterances as they were said

# What tables call a variant; those that are not here go by their own name.
LABELS = {
    "shuffled": "shuffled utterances",
    "random": "random features",
    "still": "one picture",
    "jumbled": "clips out of order",
    NATURAL: "CVCL",
    "weighted": "CVCL, weighted pairs",
}


@dataclass(frozen=True)
class EvaluatedModel:
    """A model: where it is saved, or a hub id."""

    variant: str
    seed: int
    model: str


@dataclass(frozen=True)
class EvaluatedStudy:
    """Models that learned from the corpus at `root`.

    alignment: the share of its utterances that name something in view, where that is known.
    """

    name: str
    root: Path | None
    alignment: float | None
    members: tuple[EvaluatedModel, ...]

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


def read_studies(sources: Sequence[str], checkpoint: str) -> list[EvaluatedStudy]:
    """What is meant by runs, saved models and hub ids; single models make one study together.

    Raises:
        UserError: a run's table cannot be read, or there is no model.
    """
    studies: list[EvaluatedStudy] = []
    alone: list[EvaluatedModel] = []
    for source in sources:
        path = Path(source)
        if (path / STUDY).is_file():
            studies.append(_read(path, checkpoint))
        else:
            alone.append(EvaluatedModel(NATURAL, len(alone), _saved(path, checkpoint)))
    if alone:
        studies.append(
            EvaluatedStudy(", ".join(member.model for member in alone), None, None, tuple(alone))
        )
    return studies


def at(root: Path, study: EvaluatedStudy) -> EvaluatedStudy:
    """The study measured on the corpus at `root`."""
    return replace(study, root=root)


def _read(run: Path, checkpoint: str) -> EvaluatedStudy:
    content = load_json(run / STUDY)
    where = f"{run / STUDY}"
    rows = content.get("members") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{where}: holds no list of models under 'members'")
    members = []
    for number, row in enumerate(rows):
        fields = {"variant": str, "seed": int, "path": str}
        if not isinstance(row, dict) or any(type(row.get(k)) is not v for k, v in fields.items()):
            raise UserError(f"{where}: model {number} has no variant, seed and path")
        place = inside(run, row["path"])
        members.append(EvaluatedModel(row["variant"], row["seed"], _saved(place, checkpoint)))
    root = content.get("root")
    if not isinstance(root, str):
        raise UserError(f"{where}: root is {root!r:.100}, no text")
    return EvaluatedStudy(str(run), Path(root), _alignment(content.get("corpus")), tuple(members))


def _alignment(corpus: Any) -> float | None:
    share = corpus.get("aligned") if isinstance(corpus, dict) else None
    return float(share) if isinstance(share, int | float) else None


def _saved(path: Path, checkpoint: str) -> str:
    """The model of a run, a saved one, or one from the hub."""
    from firsthand.grounding.storage import FILES
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
