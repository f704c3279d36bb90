"""The text half of CLIP ViT-B/32 (Radford et al. 2021): sentences to tokens, tokens to a vector.

The tower's weights come from outside (`policy/checkpoints/encoders.py`); the tokenizer's merges
are the file that the package open_clip_torch ships, read where it lies and checked by its hash.
The package itself is not imported.
"""

import gzip
import hashlib
import html
import importlib.util
from functools import lru_cache
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

LENGTH = 77  # tokens of a sentence, padded with 0
START, END = 49406, 49407

MERGES_PACKAGE = "open_clip"
MERGES_FILE = "bpe_simple_vocab_16e6.txt.gz"
MERGES_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"

# What CLIP takes for a word: an English ending, a run of letters, one digit, a run of other signs.
_WORD = r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""


class ClipText(nn.Module):
    """The frozen text tower: always in evaluation mode, never given a gradient."""

    def __init__(self) -> None:
        super().__init__()
        from transformers import CLIPTextConfig, CLIPTextModelWithProjection

        # transformers knows two rules for where a sentence ends; 2 selects the original's, the
        # place of the largest token.
        config = CLIPTextConfig(
            vocab_size=END + 1,
            hidden_size=512,
            intermediate_size=2048,
            projection_dim=512,
            num_hidden_layers=12,
            num_attention_heads=8,
            max_position_embeddings=LENGTH,
            hidden_act="quick_gelu",
            layer_norm_eps=1e-5,
            eos_token_id=2,
        )
        tower = CLIPTextModelWithProjection(config).eval()
        self.text_model = tower.text_model
        self.text_projection = tower.text_projection
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> "ClipText":
        return super().train(False)

    @torch.no_grad()
    def forward(self, tokens: Int[Tensor, "n 77"]) -> Float[Tensor, "n 512"]:
        """The vectors, divided by their length plus 1e-6 as GR-1 does, computed as stored.

        No autocast: the published GR-1 rounds here to float16 on a GPU and nowhere on a CPU.
        """
        weight = self.text_projection.weight
        with torch.autocast(weight.device.type, enabled=False):
            pooled = self.text_model(input_ids=tokens.to(weight.device)).pooler_output
            vectors = self.text_projection(pooled).float()
        return vectors / (vectors.norm(dim=1, keepdim=True) + 1e-6)


def tokenize(sentences: list[str]) -> Int[Tensor, "n 77"]:
    """Token numbers as openai/CLIP gives them; of a long sentence the beginning, then the end mark.

    Raises:
        ModuleNotFoundError: the package with the merges is not installed.
        ValueError: the merges are not the ones that CLIP was trained with.
    """
    tokens = torch.zeros(len(sentences), LENGTH, dtype=torch.long)
    for row, sentence in zip(tokens, sentences, strict=True):
        words = _tokenizer().encode(_clean(sentence)).ids[: LENGTH - 2]
        row[: len(words) + 2] = torch.tensor([START, *words, END])
    return tokens


def _clean(sentence: str) -> str:
    """Lower case, single spaces, and what was broken on the way through encodings mended."""
    from ftfy import fix_text

    return " ".join(html.unescape(html.unescape(fix_text(sentence))).split()).lower()


@lru_cache(maxsize=1)
def _tokenizer():  # noqa: ANN202 - the tokenizers package's own type
    """Byte-pair encoding (Sennrich et al. 2016) over bytes, a word's last one marked.

    Tokens are numbered: the 256 bytes, the same at a word's end, then a number for every merge.
    """
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

    letters = _byte_letters()
    merges = _merges()
    names = letters + [f"{letter}</w>" for letter in letters] + ["".join(pair) for pair in merges]
    vocabulary = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(BPE(vocabulary, merges, end_of_word_suffix="</w>"))
    words = Split(Regex(_WORD), behavior="removed", invert=True)
    tokenizer.pre_tokenizer = Sequence([words, ByteLevel(add_prefix_space=False, use_regex=False)])  # pyright: ignore[reportAttributeAccessIssue]
    return tokenizer


def _byte_letters() -> list[str]:
    """A printable letter for each byte: itself, or, for those that are none, one from 256 on.

    The printable ones come first: their order numbers the tokens.
    """
    printable = [b for b in range(256) if chr(b).isprintable() and b not in (0x20, 0xA0, 0xAD)]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]


def _merges() -> list[tuple[str, str]]:
    spec = importlib.util.find_spec(MERGES_PACKAGE)  # found, not imported: it would load much more
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "language.encoder=clip needs the package open_clip_torch: pip install it"
        )
    path = Path(spec.origin).with_name(MERGES_FILE)
    packed = path.read_bytes()
    found = hashlib.sha256(packed).hexdigest()
    if found != MERGES_SHA256:
        raise ValueError(f"{path} has SHA-256 {found}, not {MERGES_SHA256}")
    lines = gzip.decompress(packed).decode().splitlines()
    # A comment comes first, and more merges than CLIP's vocabulary has room for last.
    return [(first, second) for first, second in map(str.split, lines[1 : END - 2 * 256])]
