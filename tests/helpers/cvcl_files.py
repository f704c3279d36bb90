"""Checkpoints laid out as CVCL's are: modules that stand in several places, saved by Lightning."""

import argparse
import sys
import types
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from firsthand.grounding.text_encoder import sinusoids

Weights = dict[str, Tensor]


class VisionEncoder(nn.Module):
    __module__ = "multimodal.multimodal"  # by which name it is pickled

    def __init__(self, transformer: bool) -> None:
        super().__init__()
        if transformer:
            import timm

            self.model = timm.create_model(
                "vit_tiny_patch16_224", patch_size=14, img_size=224, num_classes=512
            )
        else:
            from torchvision.models import resnext50_32x4d

            self.model = resnext50_32x4d(num_classes=512)


class TextEncoder(nn.Module):
    __module__ = "multimodal.multimodal"

    def __init__(self, kind: str, words: int) -> None:
        super().__init__()
        self.device = torch.device("cpu")
        self.embedding = nn.Embedding(words, 512, padding_idx=0)
        if "lstm" in kind:
            self.lstm = nn.LSTM(512, 512, bidirectional=kind == "bilstm")
        elif kind == "sinusoidal":
            self.register_buffer("pos_embed", sinusoids(25, 512)[:, None])
        elif kind == "learned":
            self.pos_embed = nn.Parameter(torch.randn(25, 1, 512))
        if kind in ("learned", "sinusoidal", "transformer"):
            self.encoder_layer = nn.TransformerEncoderLayer(512, 8)
            self.transformer_encoder = nn.TransformerEncoder(
                self.encoder_layer, 1, enable_nested_tensor=False
            )


class Both(nn.Module):
    def __init__(self, vision: nn.Module, text: nn.Module, learned: bool) -> None:
        super().__init__()
        self.image_embed = vision
        self.text_embed = text
        if learned:
            self.logit_neg_log_temperature = nn.Parameter(torch.tensor(1.5))


class LanguageModel(nn.Module):
    def __init__(self, text: TextEncoder) -> None:
        super().__init__()
        self.text_encoder = text
        self.output_layer = nn.Linear(512, text.embedding.num_embeddings)
        self.output_layer.weight = text.embedding.weight


class Release(nn.Module):
    """Their Lightning module: what is within, and by which names."""

    def __init__(
        self, kind: str, *, transformer: bool = False, words: int = 2350, learned: bool = False
    ) -> None:
        super().__init__()
        self.vision_encoder = VisionEncoder(transformer)
        self.text_encoder = TextEncoder(kind, words)
        self.model = Both(self.vision_encoder, self.text_encoder, learned)
        self.language_model = LanguageModel(self.text_encoder)


def release(kind: str, seed: int = 0, **options: bool | int) -> Release:
    """In evaluation, every weight random, statistics of batch normalisation included."""
    torch.manual_seed(seed)
    made = Release(kind, **options).eval()
    with torch.no_grad():
        for value in made.parameters():
            if value.ndim == 1:
                value.add_(0.05 * torch.randn_like(value))
        for name, value in made.named_buffers():
            if name.endswith("running_mean"):
                value.normal_(std=0.05)
            elif name.endswith("running_var"):
                value.uniform_(0.9, 1.2)
            elif name.endswith("num_batches_tracked"):
                value.fill_(7)
    return made


def within(weights: Weights, prefix: str) -> Weights:
    return {n.removeprefix(prefix): v for n, v in weights.items() if n.startswith(prefix)}


def without(weights: Weights, *beginnings: str) -> Weights:
    return {name: value for name, value in weights.items() if not name.startswith(beginnings)}


def prefixed(weights: Weights, prefix: str) -> Weights:
    return {f"{prefix}{name}": value for name, value in weights.items()}


def save_by_lightning(made: Release, path: Path, **arguments: object) -> None:
    """As Lightning 1.6 saves: whole modules, their classes by name, among the settings."""
    settings = argparse.Namespace(optimizer=torch.optim.AdamW, batch_size=8, **arguments)
    optimizer = torch.optim.AdamW(made.language_model.output_layer.parameters())
    content = {
        "epoch": 97,
        "global_step": 1,
        "pytorch-lightning_version": "1.6.0",
        "state_dict": OrderedDict(made.state_dict()),
        "callbacks": {"ModelCheckpoint{'monitor': 'val_loss'}": {"best": torch.tensor(1.8)}},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [{"best": 1.8, "mode": "min"}],
        "hparams_name": "kwargs",
        "hyper_parameters": {
            "vision_encoder": made.vision_encoder,
            "text_encoder": made.text_encoder,
            "args": settings,
        },
    }
    with pytest.MonkeyPatch.context() as patch:  # the classes are there for saving alone
        for name in ("multimodal", "multimodal.multimodal"):
            patch.setitem(sys.modules, name, types.ModuleType(name))
        for kind in (VisionEncoder, TextEncoder):
            setattr(sys.modules["multimodal.multimodal"], kind.__name__, kind)
        torch.save(content, path)
