"""The policy: instruction, images and state in; a chunk of actions and future images out.

After GR-1 (Wu et al. 2024, "Unleashing large-scale video generative pre-training for visual robot
manipulation", section 3): one causal transformer, pretrained to predict a video's next frames,
then fine-tuned to act as well. An image becomes a few tokens before the transformer; queries
read and are never read, so that leaving one out changes nothing else; every loss is present only
when the batch holds its targets.

`Policy.forward` is the whole of it, from top to bottom; the methods that it calls follow in the
order of the calls. Letters of shapes: `policy/batch.py`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from firsthand.common.atomic import write_json
from firsthand.policy.batch import Batch, CameraView, Losses, Prediction, SequenceWindows
from firsthand.policy.checkpoints.storage import FORMAT_VERSION, PretrainedModel, load_policy
from firsthand.policy.config import PolicyConfig
from firsthand.policy.inference.actor import PolicyActor
from firsthand.policy.layout import Layout, TokenGroup
from firsthand.policy.modules.action_head import ActionHead, action_losses, decode_actions
from firsthand.policy.modules.blur import blurs_of
from firsthand.policy.modules.future_target import future_target, patchify
from firsthand.policy.modules.image_encoder import ImageFeatures, image_encoder, to_unit
from firsthand.policy.modules.narration import NarrationHeads, NarrationLosses, changed_places
from firsthand.policy.modules.state_encoder import FourierState, GR1State
from firsthand.policy.modules.text_encoder import LanguageEncoder
from firsthand.policy.modules.token_pooling import pool
from firsthand.policy.modules.transformer import Trunk
from firsthand.policy.modules.video_decoder import VideoDecoder
from firsthand.policy.statistics import Statistics


class Policy(PretrainedModel):
    """One model for pretraining on video, for cloning demonstrations and for acting."""

    config: PolicyConfig
    format_version = FORMAT_VERSION
    read_files = staticmethod(load_policy)

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
            FourierState(width, statistics) if config.state == "fourier" else GR1State(width)
        )
        self.image_proj = nn.ModuleDict({c: nn.Linear(self.pool.width, width) for c in cameras})
        slots = cameras if config.pool.kind == "spatial_softmax" else ()
        self.camera_slot_embed = nn.ModuleDict(
            {c: nn.Embedding(config.pool.tokens, width) for c in slots}
        )
        summaries = cameras if config.images.encoder == "vit" else ()
        self.cls_proj = nn.ModuleDict({c: nn.Linear(self.images.width, width) for c in summaries})
        if config.trunk.position != "rotary":
            self.embed_time = nn.Embedding(config.n_obs_steps, width)

        self.action_query = nn.Embedding(1, width)
        if config.action.queries == "each":
            self.action_offset = nn.Embedding(config.action.chunk_size, width)
        self.video_query = nn.ModuleDict(
            {c: nn.Embedding(config.video.queries, width) for c in cameras}
        )
        self.trunk = Trunk(config.trunk)
        self.action_head = ActionHead(config.action, width)
        cell_width = self.images.width * (config.video.patch // self.images.stride) ** 2
        self.video_decoder = VideoDecoder(config.video, width, cell_width)
        self.future_target = future_target(config.video)
        self.narration = None
        if config.narration.enabled:
            cells = config.cameras[0].size // self.images.stride
            self.narration = NarrationHeads(
                config.narration, self.images.width, config.language.width, width, cells
            )
        self._actor: PolicyActor | None = None
        self._initialise()

    def forward(self, batch: Batch, expected: Float[Tensor, "2"] | None = None) -> Losses:
        """The losses whose targets the batch holds.

        A sequence longer than the policy's window is learned from as all the windows in it, each
        frame encoded once; a transformer with rotary positions slides its window over it instead.

        Args:
            batch: windows (or sequences) of recordings.
            expected: the mean of `targets` over the passes that are averaged, if there are several.

        Raises:
            ValueError: the batch holds targets for none of them.
        """
        if batch.actions is None and not batch.future:
            raise ValueError("the batch has neither actions nor future pictures to learn from")
        futures = batch.future or {}  # camera -> (b t 3 h w)
        scene = self._narrated_camera(batch)
        acts = batch.actions is not None or scene is not None
        layout = self.layout_of(batch, actions=acts, futures=tuple(futures))
        tokens, views = self.embed_observation(batch)  # (b t n d); camera -> CameraView
        if windows := self._windows_in(batch):
            batch, tokens = windows.cut_batch(batch), windows.cut(tokens)
            views = {camera: view.map(windows.cut) for camera, view in views.items()}
            futures = batch.future or {}
        outputs = self.run_transformer(tokens, batch.valid, layout)  # query group -> (b t q d)

        action_scale, video_scale = self._loss_scales(batch, expected)
        arm = gripper = None
        if batch.actions is not None:
            arm, gripper = self.action_losses(outputs["action"], batch)
            arm, gripper = action_scale * arm, action_scale * gripper
        video = {
            camera: video_scale
            * self.video_loss(outputs[f"future {camera}"], views[camera], batch, future)
            for camera, future in futures.items()
        }
        narration = None
        if scene is not None:
            narration = self.narration_losses(
                outputs["action"], views[scene], batch, futures[scene]
            )
        return self.weighted_sum(arm, gripper, video, narration)

    def embed_observation(
        self, batch: Batch
    ) -> tuple[Float[Tensor, "b t n d"], dict[str, CameraView]]:
        """The observed tokens of every frame, each of which depends on that frame alone, and each
        camera's view."""
        state = None if batch.state is None else self.embed_state(batch.state)  # (b t d)
        views = self.encode_cameras(batch)
        return self.tokens(batch.instruction, state, views), views

    def encode_cameras(self, batch: Batch) -> dict[str, CameraView]:
        """Every camera's images as tokens. Neighbours whose images are of one size are encoded
        together (n = cameras * b * t below).

        Raises:
            ValueError: there are stored features for a policy whose encoder learns, or which needs
                the images themselves.
        """
        views: dict[str, CameraView] = {}
        images, stored = batch.images, batch.features or {}
        if stored:
            self.config.check_storable()
        cameras = [c for c in self.config.cameras if c.name in images or c.name in stored]
        for (size, is_stored), group in groupby(cameras, lambda c: (c.size, c.name in stored)):
            names = [camera.name for camera in group]
            steps = (stored if is_stored else images)[names[0]].shape[1]
            instruction = batch.instruction.repeat_interleave(steps, dim=0).repeat(len(names), 1)
            if is_stored:
                resized = None
                tokens = torch.cat([stored[name].flatten(0, 1) for name in names])
                features = ImageFeatures.of_tokens(tokens.float())
            else:
                fitted = [self.images.fit(images[name].flatten(0, 1), size) for name in names]
                resized = torch.cat(fitted) if len(fitted) > 1 else fitted[0]  # (n 3 h h)
                features = self.images(resized, instruction)  # grid (n c rows columns)
            views |= self.camera_tokens(names, steps, size, resized, features, instruction)
        return views

    def camera_tokens(
        self,
        cameras: Sequence[str],
        steps: int,
        size: int,
        images: Shaped[Tensor, "n 3 h h"] | None,
        features: ImageFeatures,
        instruction: Float[Tensor, "n d"],
    ) -> dict[str, CameraView]:
        """Features to tokens, for cameras whose images lie one after the other (n = cameras*b*t).

        All cameras share all weights but those of the last layer.
        """

        def by_camera(x: Tensor | None) -> Sequence[Tensor | None]:
            if x is None:
                return [None] * len(cameras)
            return x.unflatten(0, (len(cameras), -1, steps)).unbind()

        pooled = self.pool(features.grid, instruction)  # tokens (n k c)
        grid = features.grid if self.config.video.start == "features" else None
        plain = None
        if self.narration is not None:
            plain = features.grid if features.unmodulated is None else features.unmodulated
        parts = (images, pooled.tokens, features.summary, grid, pooled.attention, plain)
        views = {}
        for camera, image, pooled_tokens, cls_token, *kept in zip(
            cameras, *map(by_camera, parts), strict=True
        ):
            tokens = self.image_proj[camera](pooled_tokens)  # (b t k d)
            if camera in self.camera_slot_embed:
                tokens = tokens + cast(nn.Embedding, self.camera_slot_embed[camera]).weight
            if cls_token is not None:
                tokens = torch.cat([tokens, self.cls_proj[camera](cls_token)[:, :, None]], dim=2)
            views[camera] = CameraView(size, image, tokens, *kept)
        return views

    def tokens(
        self,
        instruction: Float[Tensor, "b _"],
        state: Float[Tensor, "b t d"] | None,
        views: Mapping[str, CameraView],
    ) -> Float[Tensor, "b t n d"]:
        """The observed tokens in their order: instruction, state, one camera after the other."""
        steps = next(iter(views.values())).tokens.shape[1]
        tokens = [self.embed_instruction(instruction)[:, None, None].expand(-1, steps, -1, -1)]
        if state is not None:
            tokens.append(state[:, :, None])
        return torch.cat([*tokens, *(view.tokens for view in views.values())], dim=2)

    def _narrated_camera(self, batch: Batch) -> str | None:
        """The camera in whose images the named things are looked for, the first; None if a batch
        does not say what is narrated, or lacks images of it or its future."""
        name = self.config.cameras[0].name
        watched = name in batch.images and name in (batch.future or {})
        narrated = self.narration is not None and batch.narrated is not None
        return name if narrated and watched else None

    def _windows_in(self, batch: Batch) -> SequenceWindows | None:
        """Those of sequences that are longer than one, unless the transformer slides over them."""
        if (
            batch.valid.shape[1] <= self.config.n_obs_steps
            or self.config.trunk.position == "rotary"
        ):
            return None
        return SequenceWindows(batch.valid, self.config.n_obs_steps)

    def run_transformer(
        self,
        tokens: Float[Tensor, "b t n d"],
        valid: Bool[Tensor, "b t"],
        layout: Layout,
        query_steps: int | None = None,
    ) -> dict[str, Float[Tensor, "b _ q d"]]:
        """The transformer's output by query group, at the last `query_steps` frames (None: at all).

        Raises:
            ValueError: there are more frames than the window has slots.
        """
        size, steps = valid.shape
        if self.config.trunk.position != "rotary":
            if steps > self.config.n_obs_steps:
                raise ValueError(
                    f"a sequence of {steps} frames is longer than the window of "
                    f"{self.config.n_obs_steps}; only training cuts it into windows"
                )
            tokens = tokens + self.embed_time.weight[:steps, None]
        queries = self.queries(layout).expand(size, query_steps or steps, -1, -1)  # (b t q d)
        outputs = self.trunk(
            tokens.flatten(1, 2),
            queries.flatten(1, 2),
            layout.attention_mask(valid, self.config.n_obs_steps, query_steps),
            self._positions(layout, steps, query_steps),
        )
        return layout.split(outputs, query_steps or steps)

    def queries(self, layout: Layout) -> Float[Tensor, "q d"]:
        """The learned query tokens of the layout's query groups, the same at every step."""
        weights = {
            f"future {camera}": embedding.weight for camera, embedding in self._video_queries()
        }
        weights["action"] = self._action_queries()
        return torch.cat([weights[group.name] for group in layout.queries])

    def action_losses(
        self, outputs: Float[Tensor, "b t q d"], batch: Batch
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """How wrong the arm's and the gripper's actions are, over the valid ones."""
        assert batch.actions is not None
        assert batch.actions_valid is not None
        valid = batch.actions_valid & batch.valid[..., None]  # (b t k)
        arm, gripper = self.action_head(outputs)  # (b t k 6), (b t k)
        return action_losses(arm, gripper, batch.actions, valid, self.config.loss.arm_beta)

    def video_loss(
        self,
        outputs: Float[Tensor, "b t q d"],
        view: CameraView,
        batch: Batch,
        future: Shaped[Tensor, "b t 3 _ _"],
    ) -> Float[Tensor, ""]:
        """How wrong one camera's futures are. If there are actions to learn besides, those of a
        batch's first part alone stand for all: its order is random, whatever corpora it was drawn
        from."""
        assert batch.future_valid is not None
        n = self._n_video(batch)
        predicted = self.decode_frames(outputs[:n], view.map(lambda x: x[:n]))  # (n t p c)
        fitted = self.images.fit(future[:n].flatten(0, 1), view.size)
        target = self.future_target.target(fitted).view_as(predicted)
        return self.future_target.loss(predicted, target, (batch.valid & batch.future_valid)[:n])

    def narration_losses(
        self,
        outputs: Float[Tensor, "b t q d"],
        view: CameraView,
        batch: Batch,
        future: Shaped[Tensor, "b t 3 _ _"],
    ) -> NarrationLosses:
        """How badly what is said is tied to what is seen, at the last valid frame of every window:
        means over this batch, in which alone sentences are compared."""
        assert self.narration is not None
        assert view.unmodulated is not None
        assert batch.narrated is not None
        assert batch.future_valid is not None
        windows = torch.arange(len(batch.valid), device=batch.valid.device)
        last = windows, batch.valid.sum(1) - 1
        now, grid = view.require_images()[last], view.unmodulated[last]
        then = self.images.fit(future[last], view.size)
        some = (batch.narrated & batch.valid & batch.future_valid)[last]  # (b)
        changed = changed_places(now, then, grid.shape[-1], self.config.narration.changed)
        return self.narration(
            batch.instruction,
            grid,
            None if view.attention is None else view.attention[last],
            outputs[last][:, 0],
            changed & some[:, None, None],
        )

    def decode_frames(
        self, outputs: Float[Tensor, "b t q d"], view: CameraView
    ) -> Float[Tensor, "b t p c"]:
        """The predicted patches of this camera's future images, as `future_target` writes them."""
        config, grid, current = self.config.video, None, None
        if config.start != "mask":
            now = to_unit(view.require_images().flatten(0, 1))  # (n 3 h h)
            images = blurs_of(now) if config.start == "blurs" else now[:, None]
            current = patchify(images, config.patch)  # (n m p c)
            grid = None if view.grid is None else view.grid.flatten(0, 1)
        rows = view.size // config.patch
        patches = self.video_decoder(outputs.flatten(0, 1), rows, current, grid)
        return patches.unflatten(0, outputs.shape[:2])

    def weighted_sum(
        self,
        arm: Float[Tensor, ""] | None,
        gripper: Float[Tensor, ""] | None,
        video: dict[str, Float[Tensor, ""]],
        narration: NarrationLosses | None = None,
    ) -> Losses:
        """The losses that are there and the sum to differentiate, weighted by `config.loss`."""
        weights, terms = self.config.loss, []
        action = None
        if arm is not None and gripper is not None:
            terms += [weights.arm * arm, weights.gripper * gripper]
            action = torch.stack(terms).sum()
        terms += [weights.video / len(video) * loss for loss in video.values()]
        named = {} if narration is None else narration._asdict()
        terms += [getattr(weights, name) * loss for name, loss in named.items()]
        return Losses(torch.stack(terms).sum(), arm, gripper, video or None, action, named or None)

    def targets(self, batch: Batch) -> Float[Tensor, "2"]:
        """The number of actions, and of futures of each camera, that a batch holds targets for."""
        masks = replace(batch, images={}, features=None, future=None, state=None)
        windows = self._windows_in(batch)
        return self._count_targets(windows.cut_batch(masks) if windows else masks)

    def _loss_scales(
        self, batch: Batch, expected: Float[Tensor, "2"] | None
    ) -> tuple[Float[Tensor, ""] | float, Float[Tensor, ""] | float]:
        """By how much the means over a batch's actions and futures count: a batch may be one of
        several passes that are averaged, with more targets or fewer than the others."""
        if expected is None:
            return 1.0, 1.0
        action, video = (self._count_targets(batch) / expected.clamp(min=1e-6)).unbind()
        return action, video

    def _count_targets(self, batch: Batch) -> Float[Tensor, "2"]:
        """How many actions, and how many futures of a camera, count in these windows' losses."""
        none = torch.zeros_like(batch.valid)
        actions = (
            none if batch.actions_valid is None else batch.actions_valid & batch.valid[..., None]
        )
        futures = none if batch.future_valid is None else batch.future_valid & batch.valid
        return torch.stack([actions.sum(), futures[: self._n_video(batch)].sum()]).float()

    def _n_video(self, batch: Batch) -> int:
        """For how many of a batch's windows futures are predicted."""
        size = len(batch.valid)
        return size if batch.actions is None else math.ceil(self.config.video.batch_fraction * size)

    @torch.no_grad()
    def predict(self, batch: Batch, *, video: bool = True) -> Prediction:
        """Actions at every frame (if the batch holds the robot's state), and future frames (if
        `video`) of the cameras of which there are images and not only features."""
        act = batch.state is not None
        cameras = tuple(batch.images) if video else ()
        tokens, views = self.embed_observation(batch)
        layout = self.layout_of(batch, actions=act, futures=cameras)
        outputs = self.run_transformer(tokens, batch.valid, layout)
        frames = {c: self.future_images(outputs[f"future {c}"], views[c]) for c in cameras}
        actions = opening = None
        if act:
            arm, gripper = self.action_head(outputs["action"])
            actions = decode_actions(arm, gripper, clip=self.config.action.clip)
            opening = gripper.float().sigmoid()
        return Prediction(
            actions=actions,
            frames=frames,
            attention={c: v.attention for c, v in views.items() if v.attention is not None},
            opening=opening,
        )

    @torch.no_grad()
    def future_outputs(
        self, batch: Batch
    ) -> tuple[dict[str, Float[Tensor, "b t q d"]], dict[str, CameraView]]:
        """The transformer's outputs at the future queries, and the view, of every camera of which
        there are images: what `future_images` decodes."""
        cameras = tuple(batch.images)
        tokens, views = self.embed_observation(batch)
        layout = self.layout_of(batch, actions=False, futures=cameras)
        outputs = self.run_transformer(tokens, batch.valid, layout)
        return {camera: outputs[f"future {camera}"] for camera in cameras}, views

    def future_images(
        self, outputs: Float[Tensor, "b t q d"], view: CameraView
    ) -> Float[Tensor, "b t 3 h h"]:
        """The predicted images of one camera, in 0..1."""
        return self.future_target.to_image(self.decode_frames(outputs, view), view.require_images())

    @property
    def control_hz(self) -> float:
        """How many actions a second the policy gives; the world repeats each until the next."""
        return self.config.control_hz

    def encode_instructions(self, sentences: list[str]) -> Float[Tensor, "n d"]:
        """The frozen language encoder's vectors, each computed once."""
        return self.language(sentences)

    def actor(self, num_envs: int) -> PolicyActor:
        """Acts in `num_envs` environments side by side; see `policy.inference.actor.PolicyActor`.

        Raises:
            ValueError: the policy has learned from video alone and cannot act.
        """
        return PolicyActor(self, num_envs)

    def reset(self, instruction: str) -> None:
        """Begin to act on a new instruction: the history is forgotten.

        Raises:
            ValueError: the policy has learned from video alone and cannot act.
        """
        self._actor = PolicyActor(self, num_envs=1)
        self._actor.reset(0, instruction)

    def select_action(self, observation: Mapping[str, Any]) -> np.ndarray:
        """The next action (7 numbers) for an observation.

        Raises:
            RuntimeError: `reset` was not called before.
        """
        if self._actor is None:
            raise RuntimeError("call reset(instruction) before select_action(observation)")
        return self._actor.select_actions({0: observation})[0]

    def save_companion(self, directory: Path) -> None:
        """Write `statistics.json`."""
        write_json(directory / "statistics.json", asdict(self.statistics), indent=2)

    def layout(
        self, cameras: tuple[str, ...], state: bool, actions: bool, futures: tuple[str, ...]
    ) -> Layout:
        """The tokens of one time step, given the cameras and the outputs wanted."""
        config = self.config
        observed = [TokenGroup("instruction", 1)]
        if state:
            observed.append(TokenGroup("state", 1))
        for camera in cameras:
            summary = 1 if config.images.encoder == "vit" else 0
            observed.append(TokenGroup(camera, config.pool.tokens + summary))
        queries = [TokenGroup("action", len(self._action_queries()))] if actions else []
        queries += [TokenGroup(f"future {camera}", config.video.queries) for camera in futures]
        return Layout(tuple(observed), tuple(queries), config.trunk.intra_step_attention)

    def layout_of(self, batch: Batch, *, actions: bool, futures: tuple[str, ...]) -> Layout:
        """The tokens of one time step of this batch."""
        return self.layout(batch.cameras, batch.state is not None, actions, futures)

    def _initialise(self) -> None:
        """Initialise embeddings with std 0.1, and the instruction's projection with std 1.

        torch draws embeddings with std 1, which, added to a token of small numbers, would hide it.
        A sentence vector has length 1: weights of std 1 make a token of that size.
        """
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.1)
        nn.init.normal_(self.embed_instruction.weight)
        if self.config.action.queries == "each":
            nn.init.zeros_(self.action_offset.weight)

    def _action_queries(self) -> Float[Tensor, "q d"]:
        """One for the whole chunk; or one for each action, all the same at first (GR1-Training)."""
        if self.config.action.queries == "one":
            return self.action_query.weight
        return self.action_query.weight + self.action_offset.weight

    def _video_queries(self) -> list[tuple[str, nn.Embedding]]:
        return cast(list[tuple[str, nn.Embedding]], list(self.video_query.items()))

    def _positions(
        self, layout: Layout, steps: int, query_steps: int | None
    ) -> Int[Tensor, " n"] | None:
        if self.config.trunk.position == "time":
            return None
        if self.config.trunk.position == "rotary":
            return layout.frames(steps, query_steps)
        cameras = tuple(camera.name for camera in self.config.cameras)
        full_layout = self.layout(cameras, state=True, actions=True, futures=cameras)
        return layout.position_ids(steps, full_layout, query_steps)
