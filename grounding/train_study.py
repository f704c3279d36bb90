"""Trains the models of a study: the same configuration, with one thing changed in each control."""

import contextlib
from dataclasses import replace
from functools import partial
from pathlib import Path

from firsthand.common import workers
from firsthand.common.follow_logs import follow_logs
from firsthand.grounding.config import ClipConfig
from firsthand.grounding.reweighting import ground_weighted
from firsthand.grounding.study import Member, Study
from firsthand.grounding.train import GroundConfig, GroundResult, ground


def varied(config: GroundConfig, variant: str, seed: int) -> GroundConfig:
    """The configuration of one model (Vong et al. 2024, Fig. 2).

    `natural`: as configured. `shuffled`: every utterance with another's frames
    (`train_shuffled.json`). `random`: the image encoder keeps the weights it was initialised with,
    so that only the projection and the text encoder learn. `still`, of clips: a single frame.
    `jumbled`, of clips: all frames, in random order. `weighted`: as configured, too; it is
    `grounding.reweighting` that trains it.
    """
    config = replace(config, training=replace(config.training, seed=seed))
    if variant == "shuffled":
        return replace(config, learned="train_shuffled.json")
    if variant == "random":
        vision = replace(config.model.vision, weights="", frozen=True)
        return replace(config, model=replace(config.model, vision=vision))
    if variant in ("still", "jumbled"):
        clip = ClipConfig() if variant == "still" else replace(config.model.clip, order="shuffled")
        return replace(config, model=replace(config.model, clip=clip))
    return config


def train_study(
    study: Study, config: GroundConfig, folder: Path, jobs: int, resume: bool
) -> dict[Member, GroundResult]:
    """Train the models on the study's corpus, `jobs` at a time; finished ones are not begun again.

    With one job they train in this process, one after the other. With more each has a process of
    its own, which reads its batches itself (such processes may have no readers), with one thread
    unless more are configured: results do not depend on the number of cores.

    Raises:
        UserError: as for `ground`.
    """
    study.write(folder)
    if jobs == 1:
        return {member: _train(study, config, folder, resume, member) for member in study.members}
    jobs = min(jobs, len(study.members))
    training = replace(config.training, threads=config.training.threads or 1, workers=0)
    config = replace(config, training=training)
    waiting = iter(study.members)
    logs = {member.path: folder / member.path / "metrics.jsonl" for member in study.members}
    make = partial(partial, _train_in_process, study, config, folder, resume)
    with follow_logs(logs, config.training.steps):
        return dict(workers.run(make, lambda: next(waiting, None), jobs))


def _train(
    study: Study, config: GroundConfig, folder: Path, resume: bool, member: Member
) -> GroundResult:
    assert study.root is not None
    one = varied(config, member.variant, member.seed)
    train = ground_weighted if member.variant == "weighted" else ground
    return train(one, study.root, folder / member.path, resume=resume)


def _train_in_process(
    study: Study, config: GroundConfig, folder: Path, resume: bool, member: Member
) -> GroundResult:
    """In a process of its own; what training prints goes to a file."""
    (folder / member.path).mkdir(parents=True, exist_ok=True)
    with (
        open(folder / member.path / "log.txt", "a") as log,
        contextlib.redirect_stdout(log),
    ):
        return _train(study, config, folder, resume, member)
