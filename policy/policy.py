"""The policy: instruction, pictures and state in; a chunk of actions and future pictures out.

After GR-1 (Wu et al. 2024, "Unleashing large-scale video generative pre-training for visual robot
manipulation"): one causal transformer, pretrained to predict what a video shows next, then
fine-tuned to act as well. Choices: pictures become a few tokens before the trunk; queries read and
are never read; every loss is present only when the batch holds its targets.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from policy.acting import Actor
from policy.actions import ActionHead, action_losses, decode_actions
from policy.batch import Batch, Losses, Prediction
from policy.config import PolicyConfig
from policy.images import Features, image_encoder, resize, to_unit
from policy.language import LanguageEncoder
from policy.layout import Layout, TokenGroup
from policy.pool import pool
from policy.state import GR1State, WaveState
from policy.statistics import Statistics
from policy.storage import load_policy, save_policy
from policy.trunk import Trunk
from policy.video import VideoDecoder, patchify, unpatchify, video_loss


@dataclass(frozen=True)
class View:
    """What a camera showed: pictures at the policy's size, their features, their tokens."""

    pictures: UInt8[Tensor, "n 3 h h"]
    grid: Float[Tensor, "n c rows columns"]
    tokens: Float[Tensor, "b t k d"]
    attention: Float[Tensor, "b t k rows columns"] | None

    def first(self, n: int) -> "View":
        """The same with the first n pictures and their features alone."""
        return replace(self, pictures=self.pictures[:n], grid=self.grid[:n])


class Policy(nn.Module):
    """One model for pretraining on video, for cloning demonstrations and for acting."""

    def __init__(self, config: PolicyConfig, statistics: Statistics) -> None:
        super().__init__()
        self.config = config
        self.statistics = statistics
        width = config.trunk.width
        cameras = [camera.name for camera in config.cameras]

        self.language = LanguageEncoder(config.language)
        self.images = image_encoder(config.images, config.language.width)
        self.pool = pool(config.pool, self.images.width, config.language.width)
        self.embed_instruction = nn.Linear(config.language.width, width)
        self.embed_state = (
            WaveState(width, statistics) if config.state == "waves" else GR1State(width)
        )
        self.embed_picture = nn.ModuleDict({c: nn.Linear(self.pool.width, width) for c in cameras})
        slots = cameras if config.pool.kind == "points" else ()
        self.embed_slot = nn.ModuleDict({c: nn.Embedding(config.pool.tokens, width) for c in slots})
        self.embed_summary = nn.ModuleDict(
            {
                c: nn.Linear(self.images.width, width)
                for c in cameras
                if config.images.encoder == "vit"
            }
        )
        self.embed_time = nn.Embedding(config.length, width)

        self.action_query = nn.Embedding(1, width)
        self.video_query = nn.ModuleDict(
            {c: nn.Embedding(config.video.queries, width) for c in cameras}
        )
        self.trunk = Trunk(config.trunk)
        self.action_head = ActionHead(config.action, width)
        cell_width = self.images.width * (config.video.patch // self.images.stride) ** 2
        self.video_decoder = VideoDecoder(config.video, width, cell_width)
        self._actor: Actor | None = None
        self._initialise()

    def forward(self, batch: Batch) -> Losses:
        """The losses whose targets the batch holds.

        Raises:
            ValueError: the batch holds targets for none of them.
        """
        if batch.actions is None and not batch.future:
            raise ValueError("the batch has neither actions nor future pictures to learn from")
        arm = gripper = None
        frames = batch.future or {}
        read, views = self._read(batch, act=batch.actions is not None, watch=tuple(frames))
        if batch.actions is not None and batch.actions_valid is not None:
            said_arm, said_gripper = self.action_head(read["action"].squeeze(2))
            valid = batch.actions_valid & batch.valid[..., None]
            beta = self.config.loss.arm_beta
            arm, gripper = action_losses(said_arm, said_gripper, batch.actions, valid, beta)
        video = {
            camera: self._video_loss(camera, read[f"future {camera}"], views[camera], batch)
            for camera in frames
        }
        return self._total(arm, gripper, video)

    @torch.no_grad()
    def predict(self, batch: Batch, *, watch: bool = True) -> Prediction:
        """What the policy would do at every frame (if the batch tells the robot's state), and what
        it expects to see (if `watch`)."""
        act = batch.state is not None
        cameras = tuple(batch.images) if watch else ()
        read, views = self._read(batch, act=act, watch=cameras)
        return Prediction(
            actions=decode_actions(*self.action_head(read["action"].squeeze(2))) if act else None,
            frames={
                c: self._picture(self._imagine(read[f"future {c}"], views[c])) for c in cameras
            },
            attention={c: v.attention for c, v in views.items() if v.attention is not None},
        )

    @property
    def control_hz(self) -> float:
        """How many actions a second the policy gives; the world repeats each until the next."""
        return self.config.control_hz

    def encode_instructions(self, sentences: list[str]) -> Float[Tensor, "n d"]:
        """The frozen language encoder's vectors, each computed once."""
        return self.language(sentences)

    def reset(self, instruction: str) -> None:
        """Begin to act on a new instruction: the history is forgotten."""
        self._actor = Actor(self, instruction)

    def select_action(self, observation: Mapping[str, Any]) -> np.ndarray:
        """The next action (7 numbers) for what the world shows now.

        Raises:
            RuntimeError: `reset` was not called before.
            ValueError: the policy has learned from video alone and cannot act.
        """
        if self._actor is None:
            raise RuntimeError("call reset(instruction) before select_action(observation)")
        return self._actor.select_action(observation)

    def save_pretrained(self, directory: str | Path) -> None:
        """Write `model.safetensors`, `config.json` and `statistics.json`."""
        save_policy(self, Path(directory))

    @classmethod
    def from_pretrained(cls, source: str | Path) -> "Policy":
        """Read a directory written by `save_pretrained`, here or on the Hugging Face hub.

        Raises:
            ValueError: a file is missing or does not fit, by name.
        """
        config, statistics, weights = load_policy(source)
        policy = cls(config, statistics)
        policy.load_state_dict(weights)
        return policy.eval()

    def _initialise(self) -> None:
        """Let what a token says outweigh, in the beginning, where it stands.

        torch draws embeddings with deviation 1; added to a token of small numbers they would drown
        it. A sentence vector has length 1: weights of deviation 1 make a token of that size.
        """
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.1)
        nn.init.normal_(self.embed_instruction.weight)

    def layout(
        self, cameras: tuple[str, ...], state: bool, act: bool, watch: tuple[str, ...]
    ) -> Layout:
        """The tokens of one time step, given what the batch holds and what is asked."""
        config = self.config
        observed = [TokenGroup("instruction", 1)]
        if state:
            observed.append(TokenGroup("state", 1))
        for camera in cameras:
            summary = 1 if config.images.encoder == "vit" else 0
            observed.append(TokenGroup(camera, config.pool.tokens + summary))
        queries = [TokenGroup("action", 1)] if act else []
        queries += [TokenGroup(f"future {camera}", config.video.queries) for camera in watch]
        return Layout(tuple(observed), tuple(queries), config.trunk.within_step)

    def _read(
        self, batch: Batch, *, act: bool, watch: tuple[str, ...]
    ) -> tuple[dict[str, Float[Tensor, "b t _ d"]], dict[str, View]]:
        """Look, embed, think: the trunk's output by query group, and what each camera showed."""
        size, steps = batch.valid.shape
        layout = self.layout(tuple(batch.images), batch.state is not None, act, watch)
        views = {camera: self._look(camera, batch) for camera in batch.images}

        tokens = [
            self.embed_instruction(batch.instruction)[:, None, None].expand(-1, steps, -1, -1)
        ]
        if batch.state is not None:
            tokens.append(self.embed_state(batch.state)[:, :, None])
        tokens += [view.tokens for view in views.values()]
        time = self.embed_time.weight[:steps, None]
        observed = (torch.cat(tokens, dim=2) + time).flatten(1, 2)

        queries = [self.action_query.weight] if act else []
        queries += [cast(nn.Embedding, self.video_query[camera]).weight for camera in watch]
        asked = torch.cat(queries).expand(size, steps, -1, -1).flatten(1, 2)

        outputs = self.trunk(observed, asked, self._mask(layout, batch.valid))
        return layout.split(outputs, steps), views

    def _look(self, camera: str, batch: Batch) -> View:
        """One camera's pictures as tokens; all cameras share all weights but the last layer."""
        size, steps = batch.valid.shape
        pictures = resize(batch.images[camera].flatten(0, 1), self._size(camera))
        instruction = batch.instruction.repeat_interleave(steps, dim=0)
        features: Features = self.images(pictures, instruction)
        pooled = self.pool(features.grid, instruction)
        tokens = self.embed_picture[camera](pooled.tokens)
        if camera in self.embed_slot:
            tokens = tokens + cast(nn.Embedding, self.embed_slot[camera]).weight
        if features.summary is not None:
            summary = self.embed_summary[camera](features.summary)
            tokens = torch.cat([tokens, summary[:, None]], dim=1)
        attention = pooled.attention
        return View(
            pictures=pictures,
            grid=features.grid,
            tokens=tokens.unflatten(0, (size, steps)),
            attention=None if attention is None else attention.unflatten(0, (size, steps)),
        )

    def _imagine(self, queries: Float[Tensor, "b t q d"], view: View) -> Float[Tensor, "b t p c"]:
        """The patches of the pictures this camera is expected to show, 0..1 but not clipped."""
        current = to_unit(patchify(view.pictures, self.config.video.patch))
        patches = self.video_decoder(queries.flatten(0, 1), view.grid, current)
        return patches.unflatten(0, queries.shape[:2])

    def _picture(self, patches: Float[Tensor, "b t p c"]) -> Float[Tensor, "b t 3 h h"]:
        return unpatchify(patches, self.config.video.patch).clamp(0, 1)

    def _video_loss(
        self, camera: str, queries: Float[Tensor, "b t q d"], view: View, batch: Batch
    ) -> Float[Tensor, ""]:
        """How wrong this camera's futures are. If there are actions to learn besides, those of a
        batch's first part alone stand for all: its order is random."""
        assert batch.future is not None
        assert batch.future_valid is not None
        size, steps = batch.valid.shape
        watched = size if batch.actions is None else math.ceil(self.config.video.share * size)
        patches = self._imagine(queries[:watched], view.first(watched * steps))
        future = resize(batch.future[camera][:watched].flatten(0, 1), self._size(camera))
        target = to_unit(patchify(future, self.config.video.patch)).view_as(patches)
        valid = (batch.valid & batch.future_valid)[:watched]
        return video_loss(patches, target, valid, self.config.video.floor)

    def _size(self, camera: str) -> int:
        return next(c.size for c in self.config.cameras if c.name == camera)

    def _total(
        self,
        arm: Float[Tensor, ""] | None,
        gripper: Float[Tensor, ""] | None,
        video: Mapping[str, Float[Tensor, ""]],
    ) -> Losses:
        weights = self.config.loss
        terms = [weights.video / len(video) * loss for loss in video.values()]
        if arm is not None and gripper is not None:
            terms += [weights.arm * arm, weights.gripper * gripper]
        return Losses(torch.stack(terms).sum(), arm, gripper, video or None)

    def _mask(self, layout: Layout, valid: Bool[Tensor, "b t"]) -> Bool[Tensor, "b 1 n m"] | None:
        """Who may look at whom, padded frames shown to nobody. None if everybody sees everything.

        A window's first frame is always valid, so that every row has somebody to look at.
        """
        if valid.shape[1] == 1 and layout.within_step == "full":
            return None
        shown = valid.repeat_interleave(layout.observed_size, dim=1)
        return (layout.mask(valid.shape[1]).to(valid.device) & shown[:, None])[:, None]
