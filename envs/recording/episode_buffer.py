"""An episode while it is being recorded."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float32

from firsthand.envs.rollout import CONTROL_HZ
from firsthand.episodes.episode import INTERVENTION, Narration
from firsthand.episodes.jpeg import EncodedEpisode, EncodedFrames, encode_jpeg


class EpisodeBuffer:
    """Collects what was seen and what was done next.

    Args:
        cameras: edge in pixels of every camera's picture.
        action_repeat: control steps an action lasts.
    """

    def __init__(self, cameras: Mapping[str, int], action_repeat: int) -> None:
        self.fps = CONTROL_HZ / action_repeat
        self._cameras = cameras
        self._pictures: dict[str, list[bytes]] = {camera: [] for camera in cameras}
        self._states: list[np.ndarray] = []
        self._actions: list[np.ndarray] = []
        self._executed: list[np.ndarray] = []
        self._intervention: list[bool] = []

    def __len__(self) -> int:
        return len(self._actions)

    def add(
        self,
        observation: Mapping[str, Any],
        clean: np.ndarray,
        sent: np.ndarray,
        intervention: bool | None = None,
    ) -> Float32[np.ndarray, "7"]:
        """Note what is seen, the action to learn from, the one to execute, and, where a policy is
        corrected, whether it is the expert who acts. Returns the action to execute rounded as it
        will be stored, so that a replay executes the very same numbers."""
        for camera, jpegs in self._pictures.items():
            jpegs.append(encode_jpeg(observation["rgb_obs"][camera]))
        self._states.append(observation["robot_obs"])
        self._actions.append(clean.astype(np.float32))
        self._executed.append(sent.astype(np.float32))
        if intervention is not None:
            self._intervention.append(intervention)
        return self._executed[-1]

    def episode(
        self,
        source: Mapping[str, Any],
        instruction: str = "",
        narrations: tuple[Narration, ...] = (),
    ) -> EncodedEpisode:
        """What has been collected so far."""
        signals = {INTERVENTION: np.array(self._intervention)} if self._intervention else {}
        frames = {
            camera: EncodedFrames(self._pictures[camera], size, size)
            for camera, size in self._cameras.items()
        }
        return EncodedEpisode(
            frames,
            fps=self.fps,
            instruction=instruction,
            narrations=narrations,
            state=np.array(self._states, np.float32),
            actions=np.array(self._actions),
            executed=np.array(self._executed),
            signals=signals,
            source=source,
        )
