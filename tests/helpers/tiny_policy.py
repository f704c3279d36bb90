"""The smallest policy and recordings that obey the contracts, for tests of the loop."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from firsthand.episodes.episode import Course, Window, WindowSpec
from firsthand.episodes.sampling.order import Shuffled
from firsthand.policy.batch import Batch, Losses, Prediction
from firsthand.policy.config import CameraConfig
from firsthand.training.config import TrainConfig
from firsthand.training.loader import Embedder
from firsthand.training.precision import MixedPrecision
from firsthand.training.validation import Validator, best_blurs

SIZE = 16


class TinyPolicy(nn.Module):
    """Pictures and state to one hidden layer with dropout; actions and futures out of it."""

    config = SimpleNamespace(cameras=(CameraConfig("rgb_static", SIZE),))

    def __init__(self, frames: int = 2, chunk: int = 3, dropout: float = 0.2) -> None:
        super().__init__()
        self.chunk = chunk
        self.look = nn.Conv2d(3, 4, 4, stride=4)
        self.read = nn.Linear(5 + 15 + 4 * (SIZE // 4) ** 2, 32)
        self.norm = nn.LayerNorm(32)
        self.query = nn.Parameter(torch.zeros(1, 32))
        self.time = nn.Embedding(frames, 32)
        self.drop = nn.Dropout(dropout)
        self.act = nn.Linear(32, chunk * 7)
        self.imagine = nn.Linear(32, 3 * SIZE * SIZE)
        self.frozen = nn.Linear(5, 5, bias=False).requires_grad_(False)

    def state_dict(self, *args, **kwargs):
        weights = super().state_dict(*args, **kwargs)
        del weights["frozen.weight"]
        return weights

    def encode_instructions(self, sentences: list[str]) -> Tensor:
        codes = [[len(s) % 7, s.count("a"), s.count("e"), s.count("o"), 1] for s in sentences]
        return torch.tensor(codes, dtype=torch.float32)

    def _think(self, batch: Batch) -> Tensor:
        size, steps = batch.valid.shape
        pictures = batch.images["rgb_static"].flatten(0, 1).float() / 255
        seen = self.look(pictures).flatten(1).unflatten(0, (size, steps))
        words = self.frozen(batch.instruction)[:, None].expand(-1, steps, -1)
        state = batch.state if batch.state is not None else seen.new_zeros(size, steps, 15)
        hidden = self.read(torch.cat([words, state, seen], -1)) + self.query + self.time.weight
        return self.drop(torch.relu(self.norm(hidden)))

    def _outputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        hidden = self._think(batch)
        actions = self.act(hidden).unflatten(-1, (self.chunk, 7))
        return actions, self.imagine(hidden).unflatten(-1, (3, SIZE, SIZE))

    def forward(self, batch: Batch) -> Losses:
        actions, frames = self._outputs(batch)
        video = {}
        if batch.future is not None:
            truth = batch.future["rgb_static"].float() / 255
            video["rgb_static"] = (frames.float() - truth).square().mean()
        if batch.actions is None:
            return Losses(sum(video.values()), video=video)
        error = (actions - batch.actions).square()
        arm, gripper = error[..., :6].mean(), error[..., 6].mean()
        return Losses(arm + gripper + sum(video.values()), arm, gripper, video or None)

    @torch.no_grad()
    def predict(self, batch: Batch) -> Prediction:
        actions, frames = self._outputs(batch)
        size, steps = batch.valid.shape
        attention = torch.softmax(frames[:, :, 0, :4, :4].flatten(2), -1)
        maps = attention.view(size, steps, 1, 4, 4).expand(-1, -1, 2, -1, -1)
        known = batch.actions is not None
        return Prediction(
            actions.float() if known else None,
            {"rgb_static": frames.float().clamp(0, 1)},
            {"rgb_static": maps},
        )

    @torch.no_grad()
    def future_outputs(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, None]]:
        return {"rgb_static": self._think(batch)}, {"rgb_static": None}

    @torch.no_grad()
    def future_images(self, outputs: Tensor, view: None) -> Tensor:
        return self.imagine(outputs).unflatten(-1, (3, SIZE, SIZE)).float().clamp(0, 1)

    def save_pretrained(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        save_file(self.state_dict(), directory / "model.safetensors")
        (directory / "config.json").write_text(json.dumps({"chunk": self.chunk}))


class TinyWindows:
    """Windows made from their number alone."""

    def __init__(self, count: int = 37, frames: int = 2, chunk: int = 3, act: bool = True) -> None:
        self.count, self.frames, self.chunk, self.act = count, frames, chunk, act

    def __len__(self) -> int:
        return self.count

    def order(self, seed: int) -> Shuffled:
        return Shuffled(self.count, seed)

    def course(self, index: int) -> Course:
        """Recordings of five windows, ten a second."""
        spec = WindowSpec(self.frames, 0.1, ("rgb_static",), future=0.6, chunk=self.chunk)
        first = index - index % 5
        windows = range(first, min(first + 5, self.count))
        return Course(windows, len(windows), 10.0, spec)

    def keep_for(self, lanes: int) -> None:
        pass

    def __getitem__(self, index: int) -> Window:
        random = np.random.default_rng((index, 5))
        pictures = random.integers(0, 256, (2, self.frames, SIZE, SIZE, 3), dtype=np.uint8)
        shape = (self.frames, self.chunk)
        return Window(
            frames={"rgb_static": pictures[0]},
            valid=np.ones(self.frames, bool),
            instruction=f"{'move ' * (index % 3)}the block",
            state=random.normal(size=(self.frames, 15)).astype(np.float32) if self.act else None,
            actions=random.uniform(-1, 1, (*shape, 7)).astype(np.float32) if self.act else None,
            actions_valid=np.ones(shape, bool) if self.act else None,
            future={"rgb_static": pictures[1]},
            future_valid=np.ones(self.frames, bool),
        )


def make_policy(seed: int = 0, dropout: float = 0.2) -> TinyPolicy:
    torch.manual_seed(seed)
    return TinyPolicy(dropout=dropout)


def held_out(windows: TinyWindows) -> Validator:
    arithmetic = MixedPrecision(torch.device("cpu"), torch.float32)
    embed = Embedder(make_policy().encode_instructions)
    blurs = best_blurs(windows, windows.order(0), {"rgb_static": SIZE}) if len(windows) else {}
    return Validator(windows, embed, TrainConfig(), arithmetic, blurs)
