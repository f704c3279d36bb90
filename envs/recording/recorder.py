"""What an expert does and its cameras see becomes an episode."""

from pathlib import Path
from typing import Any

import numpy as np

from firsthand.envs.experts.play import PlayPlan
from firsthand.envs.recording.config import RecordConfig
from firsthand.envs.recording.episode_buffer import EpisodeBuffer
from firsthand.envs.recording.schedule import RecordAttempt
from firsthand.envs.rollout import TaskRollout
from firsthand.envs.tasks.initial_states import generator, initial_state, sample_robot, sample_scene
from firsthand.envs.tasks.instructions import choose
from firsthand.episodes.episode import Narration
from firsthand.episodes.jpeg import EncodedEpisode
from firsthand.episodes.storage.merge import EpisodeWriter

PATIENCE = 180  # control steps after which a task is given up at play


class Recorder:
    """Makes attempts; holds one environment of every scene for all of them."""

    def __init__(self, config: RecordConfig, parts: Path) -> None:
        self._config, self._parts = config, parts
        self._envs: dict[str, Any] = {}

    def close(self) -> None:
        for env in self._envs.values():
            env.close()
        self._envs = {}

    def __call__(self, attempt: RecordAttempt) -> bool:
        """Store the attempt in the folder of parts if it succeeded, and say whether it did."""
        episode = self.attempt(attempt)
        if episode is None:
            (self._parts / f"{attempt.name}.failed").touch()
            return False
        split = "valid" if self._config.holds_out(attempt) else "train"
        with EpisodeWriter(self._parts / f"{attempt.name}.hdf5") as writer:
            writer.add(episode, split)
        return True

    def attempt(self, attempt: RecordAttempt) -> EncodedEpisode | None:
        """What the expert did and saw, or None when it did not succeed."""
        return self._play(attempt) if self._config.play else self._demonstrate(attempt)

    def _env(self, scene: str) -> Any:
        if scene not in self._envs:
            if self._config.env.alone:
                self.close()
            world = self._config.world(scene)
            self._envs[scene] = world.make(self._config.cameras, self._config.action_repeat)
        return self._envs[scene]

    def _generator(self, attempt: RecordAttempt, purpose: str) -> np.random.Generator:
        name = f"{attempt.request} {purpose}"
        return generator(self._config.seed, "recording", name, attempt.index)

    def _demonstrate(self, attempt: RecordAttempt) -> EncodedEpisode | None:
        """One task, from a layout in which it can be begun."""
        config, (task, scene) = self._config, attempt.request
        robot_obs, scene_obs = initial_state(task, attempt.index, config.seed, "recording", scene)
        instruction = choose(task, "training", self._generator(attempt, "in words"))
        start = {"robot_obs": robot_obs, "scene_obs": scene_obs}
        observation, _ = self._env(scene).reset(options=start)
        buffer = EpisodeBuffer(config.cameras, config.action_repeat)
        rng = self._generator(attempt, "disturbed")
        success, _ = self._act(attempt, buffer, observation, task, instruction, rng, config.steps)
        if not success:
            return None
        return buffer.episode(self._source(attempt, start) | {"task": task}, instruction)

    def _play(self, attempt: RecordAttempt) -> EncodedEpisode | None:
        """One task after another; None when hardly anything could be done."""
        config, scene = self._config, attempt.request.scene
        env = self._env(scene)
        layouts = self._generator(attempt, "from")
        start = {"robot_obs": sample_robot(layouts), "scene_obs": sample_scene(layouts, env.layout)}
        observation, info = env.reset(options=start)
        buffer = EpisodeBuffer(config.cameras, config.action_repeat)
        plan = PlayPlan(config.tasks, env.layout, self._generator(attempt, "chosen"))
        words, rng = self._generator(attempt, "in words"), self._generator(attempt, "disturbed")
        subtasks: list[dict[str, Any]] = []
        while len(buffer) < config.seconds * buffer.fps:
            task = plan.next_task(observation, info)
            if task is None:
                break
            first, instruction = len(buffer), choose(task, "training", words)
            success, observation = self._act(
                attempt, buffer, observation, task, instruction, rng, min(PATIENCE, config.steps)
            )
            info = env.set_task(None)
            subtasks.append({
                "task": task, "instruction": instruction, "success": success,
                "first": first, "last": len(buffer) - 1,
            })  # fmt: skip
        if len(buffer) < config.seconds * buffer.fps / 2:
            return None
        narrations = tuple(
            Narration(s["first"] / buffer.fps, (s["last"] + 1) / buffer.fps, s["instruction"])
            for s in subtasks
            if s["success"]
        )
        source = self._source(attempt, start) | {"subtasks": subtasks}
        return buffer.episode(source, narrations=narrations)

    def _act(
        self,
        attempt: RecordAttempt,
        buffer: EpisodeBuffer,
        observation: dict[str, Any],
        task: str,
        instruction: str,
        rng: np.random.Generator,
        steps: int,
    ) -> tuple[bool, dict[str, Any]]:
        """The expert acts until a task has succeeded or time is up; returns that and the view."""
        from firsthand.envs.experts.expert import Expert

        config, env = self._config, self._envs[attempt.request.scene]
        expert = Expert(task, env.layout, rng=rng, noise=config.noise)
        rollout = TaskRollout(env, task, instruction, observation, steps, config.action_repeat)
        while rollout.running:
            planned, sent = expert.act(rollout.info, config.action_repeat)
            rollout.step(buffer.add(rollout.observation, planned, sent))
        return rollout.success, rollout.observation

    def _source(self, attempt: RecordAttempt, start: dict[str, np.ndarray]) -> dict[str, Any]:
        """Enough to make the episode again."""
        config = self._config
        return {
            "origin": "expert",
            **config.world(attempt.request.scene).describe(),
            "index": attempt.index,
            "seed": config.seed,
            "noise": config.noise,
            "action_repeat": config.action_repeat,
            "reset": {name: values.tolist() for name, values in start.items()},
        }
