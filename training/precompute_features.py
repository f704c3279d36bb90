"""Features of all pictures of a corpus: made once, a shard at a time, and learned from.

A shard is a unit of work: done once, skipped when it is there, on any executor. How they are
stored: `episodes.corpus.features`.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, UInt8

from firsthand.common import uri
from firsthand.common.errors import UserError
from firsthand.common.executor import Executor, WorkerCrash
from firsthand.common.progress import track
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.corpus.features import StoredFeatures, begin, folder_of, write_features
from firsthand.episodes.corpus.manifest import Shard
from firsthand.episodes.corpus.remote_files import check_fingerprint, fetch_shard
from firsthand.episodes.sampling.mixture import Mixture
from firsthand.episodes.sampling.windows import FeaturedWindows, Windows
from firsthand.episodes.storage.reader import EpisodeFile
from firsthand.policy.frozen_features import encode_images, encoder_identity
from firsthand.policy.policy import Policy
from firsthand.training.config import TrainConfig
from firsthand.training.loader import WindowSource


@dataclass(frozen=True)
class Job:
    """A shard file at `location`, to be encoded by the policy that is saved in a directory."""

    location: str
    shard: Shard
    target: str
    policy: str
    identity: str
    kind: str


def make_features(
    policy: Policy, directory: Path, corpus: Corpus, kind: str, team: Executor
) -> str:
    """Encode what is not encoded yet; returns the folder that the features are in.

    Args:
        policy: whose frozen encoder looks at the pictures.
        directory: where the policy is to be saved, for the processes that do the work.
        corpus: whose pictures are encoded.
        kind: of the numbers stored, float16 or float32.
        team: who does the work.

    Raises:
        UserError: the encoder learns, a shard cannot be read, or something cannot be written.
    """
    try:
        identity = encoder_identity(policy.config, policy.images)
    except ValueError as error:
        raise UserError(str(error)) from error
    folder = folder_of(corpus)
    inside = uri.join(folder, identity)
    jobs = [
        Job(
            shard.name if corpus.folder is None else uri.join(corpus.folder, shard.name),
            shard,
            uri.join(inside, f"{shard.fingerprint}.h5"),
            str(directory),
            identity,
            kind,
        )
        for shard in corpus.shards
    ]
    begin(folder, identity, kind, _sizes(policy))
    policy.save_pretrained(directory)
    for job, result in track(team.run(make_shard, jobs), "encoding shards", len(jobs)):
        if isinstance(result, WorkerCrash):
            raise UserError(f"{job.location}: {result.reason}")
    return inside


def make_shard(job: Job) -> None:
    """Encode a shard unless that has been done."""
    target = job.target
    if uri.size(target) is not None:  # files appear when they are whole
        return
    policy = _policy(job.policy)
    sizes = _sizes(policy)

    def encode(images: UInt8[np.ndarray, "n h w 3"], camera: str) -> Float[np.ndarray, "n k c"]:
        device = next(policy.parameters()).device
        batch = torch.from_numpy(images).to(device).permute(0, 3, 1, 2)
        tokens = encode_images(policy.config, policy.images, batch, sizes[camera])
        return tokens.float().cpu().numpy()

    with tempfile.TemporaryDirectory() as beside:
        remote = uri.is_remote(target)
        out = Path(beside, "features.h5") if remote else uri.local(target)
        with EpisodeFile(fetch_shard(job.location, job.shard)) as file:
            check_fingerprint(file, job.shard)
            write_features(file, out, job.identity, tuple(sizes), job.kind, encode)
        if remote:
            uri.upload(out, target)


@lru_cache(maxsize=1)
def _policy(directory: str) -> Policy:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Policy.from_pretrained(directory).to(device)


def with_features(windows: WindowSource, policy: Policy, config: TrainConfig) -> WindowSource:
    """The same windows with stored features in the place of pictures.

    Raises:
        UserError: there are none of the policy's encoder, it learns, or pictures are to be changed.
    """
    if any(config.shift.values()) or not config.color.off:
        raise UserError(
            "features=true reads what the encoder made of unchanged pictures: "
            "set training.shift={} and no training.color, or features=false"
        )
    if isinstance(windows, Mixture):
        parts = [with_features(part, policy, config) for part in windows.parts]
        return Mixture(cast(list[FeaturedWindows], parts), windows.weights)
    assert isinstance(windows, Windows)
    try:
        identity = encoder_identity(policy.config, policy.images)
    except ValueError as error:
        raise UserError(str(error)) from error
    return FeaturedWindows(windows, StoredFeatures(windows.corpus, identity, _sizes(policy)))


def _sizes(policy: Policy) -> Mapping[str, int]:
    return {camera.name: camera.size for camera in policy.config.cameras}
