"""One corpus in the formats that robot data comes in, each with a reader as fast as we know how.

    npz             a compressed file a frame, as CALVIN ships its data (without depth and touch)
    raw             HDF5, uint8, a chunk a frame, a dataset an episode and camera
    h264-15 h264-2  mp4, a file an episode and camera, keyframes 15 and 2 frames apart
    av1-2           the same as LeRobot writes it: AV1, crf 30, preset 12, keyframes 2 apart

Readers hold on to open files where that saves time (HDF5, mp4) and decode no frame twice for one
window. Videos are read as LeRobot reads them: seek to the keyframe before the first frame, decode
to the last, convert the wanted ones.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import av
import h5py
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from jaxtyping import Int64, UInt8

from firsthand.episodes.episode import Episode
from firsthand.episodes.video.encode import keep_scheduling

Frames = Mapping[str, UInt8[np.ndarray, "n h w 3"]]


@runtime_checkable
class Format(Protocol):
    """A way to keep recordings in a folder."""

    name: str

    def write(self, folder: Path, number: int, episode: Episode) -> None: ...

    def read(self, folder: Path, number: int, wanted: Int64[np.ndarray, "n"]) -> Frames:
        """The frames of a recording at some increasing times, from all cameras."""
        ...


class Npz:
    """`episode_0000012.npz`: one frame, numbered over all recordings."""

    name = "npz"

    def __init__(self, cameras: Sequence[str], length: int) -> None:
        self._cameras, self._length = cameras, length

    def _path(self, folder: Path, number: int, t: int) -> Path:
        return folder / f"episode_{number * self._length + t:07d}.npz"

    def write(self, folder: Path, number: int, episode: Episode) -> None:
        assert episode.state is not None
        assert episode.actions is not None
        for t in range(len(episode)):
            np.savez_compressed(
                self._path(folder, number, t),
                actions=episode.actions[t].astype(np.float64),
                rel_actions=episode.actions[t].astype(np.float64),
                robot_obs=episode.state[t].astype(np.float64),
                scene_obs=np.zeros(24),
                **{camera: frames[t] for camera, frames in episode.frames.items()},
            )

    def read(self, folder: Path, number: int, wanted: Int64[np.ndarray, "n"]) -> Frames:
        found: dict[str, list[np.ndarray]] = {camera: [] for camera in self._cameras}
        for t in wanted.tolist():
            with np.load(self._path(folder, number, t)) as file:
                for camera, frames in found.items():
                    frames.append(file[camera])
                for name in ("rel_actions", "robot_obs"):  # where else would they come from?
                    file[name]
        return {camera: np.stack(frames) for camera, frames in found.items()}


class RawHdf5:
    """Pixels as they are; all recordings in one file, which stays open."""

    name = "raw"

    def __init__(self, cameras: Sequence[str]) -> None:
        self._cameras = cameras
        self._file: h5py.File | None = None
        self._datasets: dict[tuple[int, str], h5py.Dataset] = {}

    def write(self, folder: Path, number: int, episode: Episode) -> None:
        with h5py.File(folder / "raw.h5", "a") as file:
            for camera, frames in episode.frames.items():
                file.create_dataset(
                    f"{number}/{camera}", data=frames, chunks=(1, *frames.shape[1:])
                )

    def read(self, folder: Path, number: int, wanted: Int64[np.ndarray, "n"]) -> Frames:
        found = {}
        for camera in self._cameras:
            dataset = self._dataset(folder, number, camera)
            frames = np.empty((len(wanted), *dataset.shape[1:]), np.uint8)
            # Frame by frame: HDF5 takes 50 times as long over a slice with a step.
            for row, t in enumerate(wanted.tolist()):
                dataset.read_direct(frames, np.s_[t], np.s_[row])
            found[camera] = frames
        return found

    def _dataset(self, folder: Path, number: int, camera: str) -> h5py.Dataset:
        if (number, camera) not in self._datasets:
            self._file = self._file or h5py.File(folder / "raw.h5")
            self._datasets[number, camera] = self._file[f"{number}/{camera}"]  # pyright: ignore
        return self._datasets[number, camera]


class Mp4:
    """Files stay open: LeRobot's cache of decoders."""

    def __init__(
        self, name: str, cameras: Sequence[str], fps: float, codec: str, options: Mapping[str, str]
    ) -> None:
        self.name, self._cameras, self._fps = name, cameras, round(fps)
        self._codec, self._options = codec, dict(options)
        self._open: dict[Path, InputContainer] = {}

    def _path(self, folder: Path, number: int, camera: str) -> Path:
        return folder / f"{camera}_episode_{number:06d}.mp4"

    def write(self, folder: Path, number: int, episode: Episode) -> None:
        os.environ.setdefault("SVT_LOG", "1")  # or the AV1 encoder prints its settings every time
        with keep_scheduling():
            for camera, frames in episode.frames.items():
                self._write(self._path(folder, number, camera), frames)

    def _write(self, path: Path, frames: UInt8[np.ndarray, "n h w 3"]) -> None:
        with av.open(str(path), "w") as container:
            stream = container.add_stream(self._codec, rate=self._fps, options=self._options)
            assert isinstance(stream, VideoStream)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "yuv420p"
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
            container.mux(stream.encode())

    def read(self, folder: Path, number: int, wanted: Int64[np.ndarray, "n"]) -> Frames:
        return {
            camera: self._decode(self._path(folder, number, camera), wanted.tolist())
            for camera in self._cameras
        }

    def _decode(self, path: Path, wanted: list[int]) -> UInt8[np.ndarray, "n h w 3"]:
        if path not in self._open:
            self._open[path] = av.open(str(path))
        container = self._open[path]
        stream = container.streams.video[0]
        assert stream.time_base is not None
        tick = 1 / (self._fps * stream.time_base)  # of the stream's clock, a frame
        container.seek(int(wanted[0] * tick), stream=stream)
        found, missing = [], set(wanted)
        for frame in container.decode(stream):
            assert frame.pts is not None
            if (t := round(frame.pts / tick)) in missing:
                found.append(frame.to_ndarray(format="rgb24"))
                missing.remove(t)
            if t >= wanted[-1]:
                break
        return np.stack(found)


def rivals(cameras: Sequence[str], fps: float, length: int) -> list[Format]:
    """The formats to compare with, for recordings of `length` frames."""
    return [
        Npz(cameras, length),
        RawHdf5(cameras),
        Mp4("h264-15", cameras, fps, "libx264", {"g": "15", "crf": "23"}),
        Mp4("h264-2", cameras, fps, "libx264", {"g": "2", "crf": "23"}),
        Mp4("av1-2", cameras, fps, "libsvtav1", {"g": "2", "crf": "30", "preset": "12"}),
    ]
