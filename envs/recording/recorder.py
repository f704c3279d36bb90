"""What an expert does and its cameras see becomes an episode."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from firsthand.envs.experts.play import PlayPlan
from firsthand.envs.playtable.layouts import DeskLayout
from firsthand.envs.recording.config import PLAY, RecordConfig
from firsthand.envs.recording.corrections import CorrectedActor, Corrections
from firsthand.envs.recording.episode_buffer import EpisodeBuffer
from firsthand.envs.recording.schedule import LENGTH, RecordAttempt, RecordOutcome
from firsthand.envs.rollout import TaskRollout
from firsthand.envs.tasks.contacts import held_block
from firsthand.envs.tasks.feasibility import feasible
from firsthand.envs.tasks.initial_states import generator, initial_state, sample_robot, sample_scene
from firsthand.envs.tasks.instructions import choose
from firsthand.episodes.episode import Narration
from firsthand.episodes.jpeg import EncodedEpisode
from firsthand.episodes.storage.merge import EpisodeWriter

PATIENCE = 180  # control steps after which a task is given up that begins where another ended


class Recorder:
    """Makes attempts; holds one environment of every scene for all of them."""

    def __init__(
        self, config: RecordConfig, parts: Path, corrections: Corrections | None = None
    ) -> None:
        self._config, self._parts = config, parts
        self._actor = corrections and CorrectedActor(
            corrections, config.steps, config.action_repeat
        )
        self._envs: dict[str, Any] = {}

    def close(self) -> None:
        for env in self._envs.values():
            env.close()
        self._envs = {}

    def __call__(self, attempt: RecordAttempt) -> RecordOutcome:
        """Store what succeeded in the folder of parts, and say what did."""
        episodes, outcome = self.attempt(attempt)
        if episodes:
            split = "valid" if self._config.holds_out(attempt) else "train"
            with EpisodeWriter(self._parts / f"{attempt.name}.hdf5") as writer:
                for episode in episodes:
                    writer.add(episode, split)
        outcome.save(self._parts / f"{attempt.name}.json")
        return outcome

    def attempt(self, attempt: RecordAttempt) -> tuple[list[EncodedEpisode], RecordOutcome]:
        """What the expert did and saw, as far as it succeeded."""
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

    def _demonstrate(self, attempt: RecordAttempt) -> tuple[list[EncodedEpisode], RecordOutcome]:
        """A row of tasks, from a layout in which the first can be begun to the first failure, which
        is kept only of a policy that is corrected. The world is restored to where each has ended:
        so every episode can be repeated alone."""
        config, (first, scene) = self._config, attempt.request
        env, wanted = self._env(scene), dict(attempt.wanted)
        robot_obs, scene_obs = initial_state(first, attempt.index, config.seed, "recording", scene)
        task: str | None = first
        words, rng = self._generator(attempt, "in words"), self._generator(attempt, "disturbed")
        choices = self._generator(attempt, "chosen")
        episodes: list[EncodedEpisode] = []
        done: list[str] = []
        success = True
        while success and len(done) < LENGTH:
            start = {"robot_obs": robot_obs, "scene_obs": scene_obs}
            observation, info = env.reset(options=start)
            if done:
                task = _next_task(wanted, env.layout, observation, info, choices)
            if task is None:
                break
            instruction = choose(task, "training", words)
            buffer = EpisodeBuffer(config.cameras, config.action_repeat)
            steps = min(PATIENCE, config.steps) if done or self._actor else config.steps
            success, observation = self._act(
                attempt, buffer, observation, task, instruction, rng, steps
            )
            if not success and self._actor is None:
                return episodes, RecordOutcome(scene, tuple(done), failed=task)
            source = self._source(attempt, start) | {"task": task, "place": len(done)}
            if self._actor is not None:
                source |= {"origin": "corrections", "success": success}
            episodes.append(buffer.episode(source, instruction))
            done.append(task)
            wanted[task] = wanted.get(task, 0) - 1
            robot_obs, scene_obs = observation["robot_obs"], observation["scene_obs"]
        return episodes, RecordOutcome(scene, tuple(done))

    def _play(self, attempt: RecordAttempt) -> tuple[list[EncodedEpisode], RecordOutcome]:
        """One task after another; nothing when hardly anything could be done."""
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
            return [], RecordOutcome(scene, (), failed=PLAY)
        narrations = tuple(
            Narration(s["first"] / buffer.fps, (s["last"] + 1) / buffer.fps, s["instruction"])
            for s in subtasks
            if s["success"]
        )
        source = self._source(attempt, start) | {"subtasks": subtasks}
        episode = buffer.episode(source, narrations=narrations)
        return [episode], RecordOutcome(scene, (PLAY,))

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
        """The expert acts, or the policy that it corrects, until a task has succeeded or time is
        up; returns that and the view."""
        from firsthand.envs.experts.expert import Expert

        config, env, actor = self._config, self._envs[attempt.request.scene], self._actor
        expert = Expert(task, env.layout, rng=rng, noise=0.0 if actor else config.noise)
        rollout = TaskRollout(env, task, instruction, observation, steps, config.action_repeat)
        if actor is not None:
            actor.begin(instruction, rng)
        while rollout.running:
            instead = actor and actor.action(rollout, env.layout)
            planned, sent = expert.act(rollout.info, config.action_repeat, instead)
            intervention = None if actor is None else instead is None
            rollout.step(buffer.add(rollout.observation, planned, sent, intervention))
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


def _next_task(
    wanted: Mapping[str, int],
    layout: DeskLayout,
    observation: Mapping[str, Any],
    info: Mapping[str, Any],
    rng: np.random.Generator,
) -> str | None:
    """A task that can be begun where things are, drawn in proportion to how many are wanted."""
    held, scene_obs = held_block(info), observation["scene_obs"]
    chances = {
        task: count
        for task, count in wanted.items()
        if count > 0 and feasible(task, scene_obs, layout, held)
    }
    if not chances:
        return None
    shares = np.array(list(chances.values())) / sum(chances.values())
    return list(chances)[rng.choice(len(shares), p=shares)]
