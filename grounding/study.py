"""Several word-grounding models that differ in one thing, learned side by side from one corpus.

study.json             the corpus and every model: what is varied, its seed, its folder
natural/seed_0/ …      a folder a model, as `grounding.train` leaves it
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from firsthand.common import workers
from firsthand.common.atomic import write_text
from firsthand.common.errors import UserError
from firsthand.common.follow_logs import follow_logs
from firsthand.episodes.untrusted.trust import load_json
from firsthand.grounding.controls import Variant, varied
from firsthand.grounding.reweighting import ground_weighted
from firsthand.grounding.train import GroundConfig, GroundResult, ground

STUDY = "study.json"


@dataclass(frozen=True)
class Member:
    """One model of a study; `path` is relative to the study's folder."""

    variant: Variant
    seed: int
    path: str


@dataclass(frozen=True)
class Study:
    """Which models learned from the corpus at `root`; `corpus` is what its maker says of it."""

    root: Path
    corpus: Mapping[str, Any]
    members: tuple[Member, ...]

    @classmethod
    def of(cls, root: Path, variants: Sequence[Variant], seeds: Sequence[int]) -> "Study":
        """Every variant with every seed.

        Raises:
            UserError: there are none, or one comes twice.
        """
        for name, values in (("variants", variants), ("seeds", seeds)):
            if not values or len(set(values)) < len(values):
                raise UserError(f"{name} must name at least one, and none twice: {list(values)}")
        said = root / "home.json"
        corpus = load_json(said) if said.exists() else {}
        members = [Member(v, s, f"{v}/seed_{s}") for s in seeds for v in variants]
        return cls(root.resolve(), corpus, tuple(members))

    @classmethod
    def read(cls, folder: Path) -> "Study":
        """The study in a folder.

        Raises:
            UserError: its file is missing or damaged.
        """
        path = folder / STUDY
        content = load_json(path)
        try:
            members = tuple(Member(**member) for member in content["members"])
            return cls(Path(content["root"]), content["corpus"], members)
        except (TypeError, KeyError) as error:
            raise UserError(f"{path}: is no study: {error}") from error

    def write(self, folder: Path) -> None:
        """Leave `study.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**asdict(self), "root": str(self.root)}, indent=1)
        write_text(folder / STUDY, text + "\n")


def learn(
    study: Study, config: GroundConfig, folder: Path, jobs: int, resume: bool
) -> dict[Member, GroundResult]:
    """Train the models, `jobs` at a time, each in a process of its own, with one thread unless more
    are asked for: what is learned is not up to how many cores there are. With one job in this
    process, one after the other. Those that are finished are not begun again. Models in processes
    of their own read for themselves: such processes may have no readers.

    Raises:
        UserError: as for `ground`.
    """
    study.write(folder)
    if jobs == 1:
        return {member: _learn(study, config, folder, resume, member) for member in study.members}
    jobs = min(jobs, len(study.members))
    training = replace(config.training, threads=config.training.threads or 1, workers=0)
    config = replace(config, training=training)
    waiting = iter(study.members)
    logs = {member.path: folder / member.path / "metrics.jsonl" for member in study.members}
    make = partial(partial, _learn_aside, study, config, folder, resume)
    with follow_logs(logs, config.training.steps):
        return dict(workers.run(make, lambda: next(waiting, None), jobs))


def _learn(
    study: Study, config: GroundConfig, folder: Path, resume: bool, member: Member
) -> GroundResult:
    one = varied(config, member.variant, member.seed)
    train = ground_weighted if member.variant == "weighted" else ground
    return train(one, study.root, folder / member.path, resume=resume)


def _learn_aside(
    study: Study, config: GroundConfig, folder: Path, resume: bool, member: Member
) -> GroundResult:
    """In a process of its own; what training prints goes to a file."""
    (folder / member.path).mkdir(parents=True, exist_ok=True)
    with (
        open(folder / member.path / "log.txt", "a") as log,
        contextlib.redirect_stdout(log),
    ):
        return _learn(study, config, folder, resume, member)
