"""Where things are, read out linearly of a policy and of random ones of the same configuration."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from firsthand.build import checkpoints, corpora
from firsthand.cli.console import say, table
from firsthand.cli.run_dir import Run
from firsthand.cli.settings import Schema
from firsthand.common.atomic import write_text
from firsthand.common.errors import UserError

if TYPE_CHECKING:
    from firsthand.policy.policy import Policy
    from firsthand.training.measures.linear_probe import ReadOut


@dataclass(frozen=True, kw_only=True)
class ProbeCommand:
    """What is read out of which policies."""

    checkpoint: str
    """Whose: a run, one of its checkpoints, a saved policy, or a hub id."""
    corpus: corpora.Choice
    """Recordings that say where things are."""
    split: str | None = None
    """Recordings of this split alone; None: all."""
    frames: int = 500
    """At most, of as many recordings as there are."""
    random_seeds: tuple[int, ...] = (0, 1)
    """Of random policies of the same configuration that are read as well."""

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise UserError(f"frames must be 1 or more, not {self.frames}")


CHECKPOINT = "checkpoint"
SCHEMA = Schema(ProbeCommand, {"corpus": corpora.CHOICES})


def execute(config: ProbeCommand, run: Run) -> None:
    """Read out, print a table, write `probe.json`."""
    import torch

    from firsthand.common.progress import track
    from firsthand.training.loader import Embedder
    from firsthand.training.measures.linear_probe import required_probe
    from firsthand.training.precision import MixedPrecision

    policy = checkpoints.load_policy(config.checkpoint)
    parts = corpora.corpora_of(config.corpus)
    cameras = [camera.name for camera in policy.config.cameras]
    probe = required_probe(parts, cameras, config.split, config.frames)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    arithmetic = MixedPrecision.choose("fp32", device)
    embed, found = Embedder(policy.encode_instructions), {}
    policies = _policies(policy, config)
    for name, one in track(policies, "reading out", 1 + len(config.random_seeds)):
        found[name] = probe(one.to(device).eval(), embed, arithmetic)
    where = ", ".join(part.corpus.name for part in parts)
    things = [one.thing for one in found[CHECKPOINT]]
    say(f"{config.checkpoint} on {where}, camera {probe.camera}")
    table("median distance in cm", ("policy", "read out of", *things), _rows(found))
    write_text(run.path / "probe.json", json.dumps(_record(config, probe.camera, found), indent=1))
    say(f"all figures: {run.path / 'probe.json'}")


def _policies(policy: "Policy", config: ProbeCommand) -> "Iterator[tuple[str, Policy]]":
    """The policy, and random ones, which share what is frozen in it."""
    import torch

    from firsthand.policy.policy import Policy

    yield CHECKPOINT, policy
    frozen = {name: p for name, p in policy.named_parameters() if not p.requires_grad}
    for seed in config.random_seeds:
        torch.manual_seed(seed)
        random = Policy(policy.config, policy.statistics)
        random.load_state_dict(frozen, strict=False)
        yield f"random {seed}", random


def _rows(found: "Mapping[str, Sequence[ReadOut]]") -> Iterator[tuple[str, ...]]:
    for name, read_outs in found.items():
        for kind in read_outs[0].error:
            yield name, kind, *(f"{one.error[kind]:.1f}" for one in read_outs)
    for label, kind, values in (
        ("the mean", "other folds", [f"{one.mean:.1f}" for one in found[CHECKPOINT]]),
        ("frames", "", [str(one.frames) for one in found[CHECKPOINT]]),
        ("recordings", "", [str(one.recordings) for one in found[CHECKPOINT]]),
    ):
        yield label, kind, *values


def _record(
    config: ProbeCommand, camera: str, found: "Mapping[str, Sequence[ReadOut]]"
) -> dict[str, object]:
    return {
        "checkpoint": config.checkpoint,
        "weights": checkpoints.identity(checkpoints.locate(config.checkpoint))[0],
        "camera": camera,
        "split": config.split,
        "unit": "cm, median",
        "read_outs": {name: [asdict(one) for one in read] for name, read in found.items()},
    }
