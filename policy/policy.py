"""The policy: instruction, pictures and state in; a chunk of actions and future pictures out.

After GR-1 (Wu et al. 2024, "Unleashing large-scale video generative pre-training for visual robot
manipulation"): one causal transformer, pretrained to predict what a video shows next, then
fine-tuned to act as well. Choices: pictures become a few tokens before the trunk; queries read and
are never read; every loss is present only when the batch holds its targets.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from firsthand.policy.batch import Batch, Losses, Prediction
from firsthand.policy.checkpoints.storage import fill, load_policy, save_policy
from firsthand.policy.config import PolicyConfig
from firsthand.policy.inference.actor import Actor
from firsthand.policy.layout import Layout, TokenGroup
from firsthand.policy.modules.action_head import ActionHead, decode_actions
from firsthand.policy.modules.future_target import future_target
from firsthand.policy.modules.image_encoder import image_encoder
from firsthand.policy.modules.state_encoder import GR1State, WaveState
from firsthand.policy.modules.text_encoder import LanguageEncoder
from firsthand.policy.modules.token_pooling import pool
from firsthand.policy.modules.transformer import Trunk
from firsthand.policy.modules.video_decoder import VideoDecoder
from firsthand.policy.objective import count_targets, objective
from firsthand.policy.predict_window import predict_window
from firsthand.policy.statistics import Statistics
from firsthand.policy.view import View, look, shown
from firsthand.policy.windows import Windows


class Policy(nn.Module):
    """One model for pretraining on video, for cloning demonstrations and for acting."""

    predict_window = predict_window

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
        summaries = cameras if config.images.encoder == "vit" else ()
        self.embed_summary = nn.ModuleDict(
            {c: nn.Linear(self.images.width, width) for c in summaries}
        )
        if config.trunk.position != "rotary":
            self.embed_time = nn.Embedding(config.length, width)

        self.action_query = nn.Embedding(1, width)
        if config.action.queries == "each":
            self.action_offset = nn.Embedding(config.action.chunk, width)
        self.video_query = nn.ModuleDict(
            {c: nn.Embedding(config.video.queries, width) for c in cameras}
        )
        self.trunk = Trunk(config.trunk)
        self.action_head = ActionHead(config.action, width)
        cell_width = self.images.width * (config.video.patch // self.images.stride) ** 2
        self.video_decoder = VideoDecoder(config.video, width, cell_width)
        self.target = future_target(config.video)
        self._actor: Actor | None = None
        self._initialise()

    def forward(self, batch: Batch, expected: Float[Tensor, "2"] | None = None) -> Losses:
        """The losses whose targets the batch holds.

        A sequence longer than the policy's window is learned from as all the windows in it, each
        frame encoded once; a trunk with rotary positions slides its window over it instead.

        Args:
            expected: the mean of `targets` over the passes that are averaged, if there are several.

        Raises:
            ValueError: the batch holds targets for none of them.
        """
        if batch.actions is None and not batch.future:
            raise ValueError("the batch has neither actions nor future pictures to learn from")
        watch = tuple(batch.future or ())
        layout = self.layout_of(batch, act=batch.actions is not None, watch=watch)
        tokens, views = self.observe(batch)
        if windows := self._windows_in(batch):
            batch, tokens = windows.cut_batch(batch), windows.cut(tokens)
            views = {camera: view.map(windows.cut) for camera, view in views.items()}
        return objective(self, self.think(tokens, batch.valid, layout), views, batch, expected)

    def targets(self, batch: Batch) -> Float[Tensor, "2"]:
        """By how many actions, and futures of each camera, a batch would be judged."""
        masks = replace(batch, images={}, features=None, future=None, state=None)
        windows = self._windows_in(batch)
        return count_targets(self, windows.cut_batch(masks) if windows else masks)

    def _windows_in(self, batch: Batch) -> Windows | None:
        """Those of sequences that are longer than one, unless the trunk slides over them."""
        if batch.valid.shape[1] <= self.config.length or self.config.trunk.position == "rotary":
            return None
        return Windows(batch.valid, self.config.length)

    @torch.no_grad()
    def predict(self, batch: Batch, *, watch: bool = True) -> Prediction:
        """What the policy would do at every frame (if the batch tells the robot's state), and what
        it expects to see (if `watch`) where there are pictures and not only their features."""
        act = batch.state is not None
        cameras = tuple(batch.images) if watch else ()
        tokens, views = self.observe(batch)
        read = self.think(tokens, batch.valid, self.layout_of(batch, act=act, watch=cameras))
        frames = {c: self.imagine(read[f"future {c}"], views[c]) for c in cameras}
        actions = opening = None
        if act:
            arm, gripper = self.action_head(read["action"])
            actions = decode_actions(arm, gripper, clip=self.config.action.clip)
            opening = gripper.float().sigmoid()
        return Prediction(
            actions=actions,
            frames={c: self.target.picture(f, shown(views[c])) for c, f in frames.items()},
            attention={c: v.attention for c, v in views.items() if v.attention is not None},
            opening=opening,
        )

    @property
    def control_hz(self) -> float:
        """How many actions a second the policy gives; the world repeats each until the next."""
        return self.config.control_hz

    def encode_instructions(self, sentences: list[str]) -> Float[Tensor, "n d"]:
        """The frozen language encoder's vectors, each computed once."""
        return self.language(sentences)

    def actor(self, seats: int) -> Actor:
        """Somebody who acts in `seats` worlds side by side; see `policy.inference.actor.Actor`.

        Raises:
            ValueError: the policy has learned from video alone and cannot act.
        """
        return Actor(self, seats)

    def reset(self, instruction: str) -> None:
        """Begin to act on a new instruction: the history is forgotten.

        Raises:
            ValueError: the policy has learned from video alone and cannot act.
        """
        self._actor = Actor(self, seats=1)
        self._actor.reset(0, instruction)

    def select_action(self, observation: Mapping[str, Any]) -> np.ndarray:
        """The next action (7 numbers) for what the world shows now.

        Raises:
            RuntimeError: `reset` was not called before.
        """
        if self._actor is None:
            raise RuntimeError("call reset(instruction) before select_action(observation)")
        return self._actor.select_actions({0: observation})[0]

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
        fill(policy, weights, source)
        return policy.eval()

    def layout(
        self, cameras: tuple[str, ...], state: bool, act: bool, watch: tuple[str, ...]
    ) -> Layout:
        """The tokens of one time step, given what there is to see and what is asked."""
        config = self.config
        observed = [TokenGroup("instruction", 1)]
        if state:
            observed.append(TokenGroup("state", 1))
        for camera in cameras:
            summary = 1 if config.images.encoder == "vit" else 0
            observed.append(TokenGroup(camera, config.pool.tokens + summary))
        queries = [TokenGroup("action", len(self._action_queries()))] if act else []
        queries += [TokenGroup(f"future {camera}", config.video.queries) for camera in watch]
        return Layout(tuple(observed), tuple(queries), config.trunk.within_step)

    def layout_of(self, batch: Batch, *, act: bool, watch: tuple[str, ...]) -> Layout:
        """The tokens of one time step of this batch."""
        return self.layout(batch.cameras, batch.state is not None, act, watch)

    def observe(self, batch: Batch) -> tuple[Float[Tensor, "b t k d"], dict[str, View]]:
        """The observed tokens of every frame, each of which depends on that frame alone, and what
        each camera showed."""
        state = None if batch.state is None else self.embed_state(batch.state)
        views = look(self, batch.images, batch.instruction, batch.features)
        return self.tokens(batch.instruction, state, views), views

    def tokens(
        self,
        instruction: Float[Tensor, "b _"],
        state: Float[Tensor, "b t d"] | None,
        views: Mapping[str, View],
    ) -> Float[Tensor, "b t k d"]:
        """The observed tokens in their order: instruction, state, one camera after the other."""
        steps = next(iter(views.values())).tokens.shape[1]
        tokens = [self.embed_instruction(instruction)[:, None, None].expand(-1, steps, -1, -1)]
        if state is not None:
            tokens.append(state[:, :, None])
        return torch.cat([*tokens, *(view.tokens for view in views.values())], dim=2)

    def embed_view(
        self, camera: str, pooled: Float[Tensor, "b t k c"], summary: Float[Tensor, "b t c2"] | None
    ) -> Float[Tensor, "b t _ d"]:
        """One camera's tokens: what the pool read, then the class token if the encoder has one."""
        tokens = self.embed_picture[camera](pooled)
        if camera in self.embed_slot:
            tokens = tokens + cast(nn.Embedding, self.embed_slot[camera]).weight
        if summary is not None:
            tokens = torch.cat([tokens, self.embed_summary[camera](summary)[:, :, None]], dim=2)
        return tokens

    def think(
        self,
        tokens: Float[Tensor, "b t k d"],
        valid: Bool[Tensor, "b t"],
        layout: Layout,
        asked: int | None = None,
    ) -> dict[str, Float[Tensor, "b _ _ d"]]:
        """The trunk's output by query group, at the last `asked` frames (None: at all).

        Raises:
            ValueError: there are more frames than the window has slots.
        """
        size, steps = valid.shape
        if self.config.trunk.position != "rotary":
            if steps > self.config.length:
                raise ValueError(
                    f"a sequence of {steps} frames is longer than the window of "
                    f"{self.config.length}; only training cuts it into windows"
                )
            tokens = tokens + self.embed_time.weight[:steps, None]
        queries = self.queries(layout).expand(size, asked or steps, -1, -1)
        outputs = self.trunk(
            tokens.flatten(1, 2),
            queries.flatten(1, 2),
            layout.attention_mask(valid, self.config.length, asked),
            self._positions(layout, steps, asked),
        )
        return layout.split(outputs, asked or steps)

    def queries(self, layout: Layout) -> Float[Tensor, "q d"]:
        """The learned tokens that ask for what the layout names, the same at every step."""
        asked = {
            f"future {camera}": embedding.weight for camera, embedding in self._video_queries()
        }
        asked["action"] = self._action_queries()
        return torch.cat([asked[group.name] for group in layout.queries])

    def imagine(self, queries: Float[Tensor, "b t q d"], view: View) -> Float[Tensor, "b t p c"]:
        """The patches, as `target` has them, of the pictures this camera is expected to show."""
        rows = view.size // self.config.video.patch
        start = ()
        if self.config.video.from_current:
            assert view.grid is not None
            start = (view.grid.flatten(0, 1), self.target.truth(shown(view)).flatten(0, 1))
        patches = self.video_decoder(queries.flatten(0, 1), rows, *start)
        return patches.unflatten(0, queries.shape[:2])

    def _initialise(self) -> None:
        """Let what a token says outweigh, in the beginning, where it stands.

        torch draws embeddings with deviation 1; added to a token of small numbers they would drown
        it. A sentence vector has length 1: weights of deviation 1 make a token of that size.
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

    def _positions(self, layout: Layout, steps: int, asked: int | None) -> Int[Tensor, " n"] | None:
        if self.config.trunk.position == "slot":
            return None
        if self.config.trunk.position == "rotary":
            return layout.frames(steps, asked)
        cameras = tuple(camera.name for camera in self.config.cameras)
        whole = self.layout(cameras, state=True, act=True, watch=cameras)
        return layout.places(steps, whole, asked)
