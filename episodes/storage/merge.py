"""Recordings in one HDF5 file, laid out as robomimic does, with every byte under a checksum.

    data                      attrs: total, env_args (JSON), format_version, source (JSON)
    data/demo_0               attrs: num_samples, fps, instruction, language (the same words, under
                              the name LIBERO's tools look for), narrations (JSON), source (JSON)
    data/demo_0/actions            (t, 7) float32: the actions to learn from
    data/demo_0/executed_actions   (t, 7) float32, only where others were really sent
    data/demo_0/obs/state          (t, 15) float32: CALVIN's robot_obs
    data/demo_0/obs/<signal>       (t, …) of any real type or bool: other numbers of every frame
    data/demo_0/obs/<camera>       (t,) JPEG bytes as variable-length uint8; attrs: encoding,
                                   height, width
    mask/<split>              names of the demos in that split: train, valid, …
    headers                   all demos' attributes again as JSON, so that opening takes one read

robomimic trains on `actions` and `obs/state` as they are (`dataset_keys=["actions"]`); pictures
must be decoded first. The file ends with a seal (see `storage.checksum`), which HDF5
programs ignore.
Layout: https://robomimic.github.io/docs/datasets/overview.html
"""

from collections.abc import Sequence
from pathlib import Path

from firsthand.common.errors import UserError
from firsthand.common.progress import track
from firsthand.episodes.storage.header import Header
from firsthand.episodes.storage.reader import EpisodeFile
from firsthand.episodes.storage.writer import EpisodeWriter

__all__ = ["EpisodeFile", "EpisodeWriter", "Header", "merge"]


def merge(parts: Sequence[str | Path], path: str | Path) -> Path:
    """Join files into one, in order, keeping splits and without encoding pictures again."""
    if not parts:
        raise UserError(f"{path}: there are no files to merge into it")
    first = EpisodeFile(parts[0])
    with EpisodeWriter(path, env_args=first.env_args, source=first.source) as writer:
        for part in track(parts, "merging", len(parts), visible=len(parts) >= 4):
            with EpisodeFile(part) as file:
                split_of = {name: split for split in file.splits for name in file.names(split)}
                for name in file.names():
                    writer.add(file.read_encoded(name), split_of[name])
    return Path(path)
