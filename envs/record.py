"""Demonstrations: experts act in the world, and what they did becomes a file of episodes.

Every episode is a pure function of (configuration, task, index). Workers put each finished one into
a folder beside the file to be; when all are there, they are joined in a fixed order. So neither the
number of workers nor an interruption changes a byte of the result.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from envs import workers
from envs.attempts import Attempt, Schedule
from envs.instructions import choose
from envs.results import check_same, read_json, versions, write_text
from envs.rollout import CONTROL_HZ
from envs.tasks import TASKS
from envs.trials import generator, initial_state
from episodes.errors import UserError
from episodes.jpeg import EncodedEpisode, EncodedFrames, encode_jpeg
from episodes.store import EpisodeFile, EpisodeWriter


@dataclass(frozen=True)
class RecordConfig:
    """What is recorded.

    Attributes:
        tasks: shown equally often, up to one episode.
        episodes: how many in all.
        cameras: edge in pixels of every camera's picture.
        action_repeat: control steps (1/30 s) an action lasts; frames are as far apart.
        steps: control steps an expert may take before it has failed.
        noise: size of the disturbances that make experts correct themselves (`envs.experts`).
        held_out_every: one layout in so many goes to the split `valid`, the others to `train`; 0
            holds out none.
        seed: of layouts, disturbances and sentences.
        scene: the world's layout.
        renderer: what draws the pictures.
        workers: processes, one environment each; 0 uses this one.

    Raises:
        UserError: a value is out of range or a name unknown.
    """

    tasks: tuple[str, ...] = tuple(TASKS)
    episodes: int = 1000
    cameras: Mapping[str, int] = field(
        default_factory=lambda: {"rgb_static": 96, "rgb_gripper": 64}
    )
    action_repeat: int = 3
    steps: int = 360
    noise: float = 0.3
    held_out_every: int = 20
    seed: int = 0
    scene: str = "D"
    renderer: str = "raster"
    workers: int = 2

    def __post_init__(self) -> None:
        if unknown := [task for task in self.tasks if task not in TASKS]:
            raise UserError(f"unknown task {unknown[0]!r}; there are {', '.join(TASKS)}")
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise UserError(f"tasks must name one task or more, each once, not {self.tasks}")
        for name in ("episodes", "action_repeat", "steps"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be 1 or more, not {getattr(self, name)}")
        for name in ("noise", "held_out_every", "seed", "workers"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} must be 0 or more, not {getattr(self, name)}")

    def episodes_of(self, task: str) -> int:
        """How many episodes show a task."""
        share, rest = divmod(self.episodes, len(self.tasks))
        return share + (self.tasks.index(task) < rest)


def record(config: RecordConfig, out: Path, resume: bool = False) -> Path:
    """Record demonstrations into the HDF5 file `out` (layout: `episodes.store`); returns its path.

    A failed attempt is not stored; the task's next layout takes its place. Frames show what was
    seen before the action of the same index.

    Args:
        out: the file; while recording, finished episodes lie in the folder `<out>.parts`.
        resume: continue an interrupted recording; a finished one is left as it is.

    Raises:
        UserError: something else is at `out`, or an expert keeps failing.
        RuntimeError: a worker failed.
    """
    # through JSON, so that it can be compared with what was read from a file
    circumstances = json.loads(json.dumps(_circumstances(config)))
    parts = out.with_name(out.name + ".parts")
    if out.exists():
        if not resume:
            raise UserError(f"{out} exists: add resume=true to keep it, or choose another name")
        with EpisodeFile(out) as file:
            made_by = {name: file.source.get(name) for name in circumstances}
        check_same(out, made_by, circumstances)
        shutil.rmtree(parts, ignore_errors=True)  # left when stopped after the last step but one
        return out
    _open_parts(parts, circumstances, resume)
    wanted = {task: config.episodes_of(task) for task in config.tasks}
    schedule = Schedule(wanted, parts)
    make = partial(Recorder, config, parts)
    with _progress() as progress:
        bar = progress.add_task(
            "demonstrations", total=config.episodes, completed=schedule.successes, failed=""
        )
        for attempt, success in workers.run(make, schedule.next_attempt, config.workers):
            schedule.finished(attempt, success)
            failed = f"{schedule.failures} failed" if schedule.failures else ""
            progress.update(bar, completed=schedule.successes, failed=failed)
        source = circumstances | {"failures": schedule.failures_by_task()}
        finished = [parts / f"{attempt.name}.hdf5" for attempt in schedule.in_order()]
        bar = progress.add_task("joining", total=len(finished), failed="")
        for _ in _join(finished, out, config, source):
            progress.advance(bar)
    shutil.rmtree(parts)
    return out


class Recorder:
    """Makes attempts; holds one environment for all of them."""

    def __init__(self, config: RecordConfig, parts: Path) -> None:
        from envs.playtable import PlayTable  # here, so that a configuration needs no physics

        self._config, self._parts = config, parts
        self._env = PlayTable(config.scene, config.renderer, config.cameras, config.action_repeat)

    def close(self) -> None:
        self._env.close()

    def __call__(self, attempt: Attempt) -> bool:
        """Store the attempt in the folder of parts if it succeeded, and say whether it did."""
        episode = self.attempt(attempt)
        if episode is None:
            (self._parts / f"{attempt.name}.failed").touch()
            return False
        every = self._config.held_out_every
        split = "valid" if every and attempt.index % every == every // 4 else "train"
        with EpisodeWriter(self._parts / f"{attempt.name}.hdf5") as writer:
            writer.add(episode, split)
        return True

    def attempt(self, attempt: Attempt) -> EncodedEpisode | None:
        """What the expert did and saw, or None when it did not succeed in time."""
        from envs.experts import Expert

        config, task = self._config, attempt.task
        robot_obs, scene_obs = initial_state(task, attempt.index, config.seed, "recording")
        words = generator(config.seed, "recording", f"{task} in words", attempt.index)
        noise = generator(config.seed, "recording", f"{task} disturbed", attempt.index)
        instruction = choose(task, "training", words)
        expert = Expert(task, rng=noise, noise=config.noise)
        start = {"robot_obs": robot_obs, "scene_obs": scene_obs}
        observation, info = self._env.reset(
            options=start | {"task": task, "instruction": instruction}
        )
        pictures: dict[str, list[bytes]] = {camera: [] for camera in config.cameras}
        states, actions, executed, success = [], [], [], False
        while not success and len(actions) < config.steps // config.action_repeat:
            for camera, jpegs in pictures.items():
                jpegs.append(encode_jpeg(observation["rgb_obs"][camera]))
            states.append(observation["robot_obs"])
            # Rounded as it will be stored, so that a replay executes the very same numbers.
            clean, sent = (
                action.astype(np.float32) for action in expert.act(info, config.action_repeat)
            )
            actions.append(clean)
            executed.append(sent)
            observation, _, success, _, info = self._env.step(sent)
        if not success:
            return None
        frames = {c: EncodedFrames(pictures[c], size, size) for c, size in config.cameras.items()}
        return EncodedEpisode(
            frames,
            fps=CONTROL_HZ / config.action_repeat,
            instruction=instruction,
            state=np.array(states, np.float32),
            actions=np.array(actions),
            executed=np.array(executed),
            source={
                "origin": "expert",
                "world": "PlayTable",
                "task": task,
                "index": attempt.index,
                "seed": config.seed,
                "noise": config.noise,
                "scene": config.scene,
                "renderer": config.renderer,
                "action_repeat": config.action_repeat,
                "reset": {name: values.tolist() for name, values in start.items()},
            },
        )


def _circumstances(config: RecordConfig) -> dict[str, Any]:
    """All that the file depends on."""
    settings = {name: value for name, value in asdict(config).items() if name != "workers"}
    return {"recorded_with": settings, "versions": versions()}


def _open_parts(parts: Path, circumstances: Mapping[str, Any], resume: bool) -> None:
    header = parts / "config.json"
    if header.exists():
        if not resume:
            raise UserError(
                f"{parts} holds an unfinished recording: add resume=true to continue it, "
                "or remove that folder"
            )
        check_same(parts, read_json(header), circumstances)
        return
    parts.mkdir(parents=True, exist_ok=True)
    write_text(header, json.dumps(circumstances, indent=1))


def _join(
    parts: Iterable[Path], out: Path, config: RecordConfig, source: Mapping[str, Any]
) -> Iterator[Path]:
    """Write the parts into one file; yields each when it has been copied."""
    settings = {
        "scene": config.scene,
        "renderer": config.renderer,
        "cameras": dict(config.cameras),
        "action_repeat": config.action_repeat,
    }
    env_args = {"env_name": "firsthand/PlayTable-v0", "env_type": 2, "env_kwargs": settings}
    with EpisodeWriter(out, env_args=env_args, source=source) as writer:
        for part in parts:
            with EpisodeFile(part) as file:
                writer.add(file.read_encoded(0), file.splits[0])
            yield part


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}"),
    )
