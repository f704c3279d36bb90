"""Text encoders: an utterance as one vector for each word and one for the whole."""

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from firsthand.grounding.config import UtteranceConfig
from firsthand.grounding.vocabulary import PADDING

Tokens = Int[Tensor, "b l"]
Lengths = Int[Tensor, " b"]


class EncodedUtterance(NamedTuple):
    """b encoded utterances of l tokens; `words` is undefined at padding."""

    words: Float[Tensor, "b l d"]
    summary: Float[Tensor, "b d"]


class WordEmbedding(nn.Module):
    """A bag of words: the mean of the word vectors, whatever their order."""

    def __init__(self, config: UtteranceConfig, width: int) -> None:
        super().__init__()
        self.padding: Literal["masked", "upstream"] = config.padding
        self.embedding = nn.Embedding(config.words, width, padding_idx=PADDING)

    def forward(self, tokens: Tokens, lengths: Lengths) -> EncodedUtterance:
        words = self.embedding(tokens)
        return EncodedUtterance(words, mean_over_words(words, lengths, self.padding))


class RecurrentUtterance(nn.Module):
    """One LSTM, in one direction or both; padding is not read."""

    def __init__(self, config: UtteranceConfig, width: int) -> None:
        super().__init__()
        self.input_dropout = config.input_dropout
        self.embedding = nn.Embedding(config.words, width, padding_idx=PADDING)
        both = config.encoder == "bilstm"
        self.lstm = nn.LSTM(width, width, batch_first=True, bidirectional=both)

    def forward(self, tokens: Tokens, lengths: Lengths) -> EncodedUtterance:
        embedded = self._dropped(self.embedding(tokens))
        packed = pack_padded_sequence(
            embedded, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        outputs, (hidden, _) = self.lstm(packed)
        words, _ = pad_packed_sequence(outputs, batch_first=True, total_length=tokens.shape[1])
        directions = words.unflatten(2, (len(hidden), -1))
        return EncodedUtterance(directions.mean(dim=2), hidden.mean(dim=0))

    def _dropped(self, embedded: Float[Tensor, "b l d"]) -> Float[Tensor, "b l d"]:
        """Dropout with one mask for all words of an utterance (Gal & Ghahramani 2016)."""
        kept = F.dropout(torch.ones_like(embedded[:, :1]), self.input_dropout, self.training)
        return embedded * kept


class TransformerUtterance(nn.Module):
    """One layer of self-attention over the words."""

    def __init__(self, config: UtteranceConfig, width: int) -> None:
        super().__init__()
        self.padding: Literal["masked", "upstream"] = config.padding
        self.embedding = nn.Embedding(config.words, width, padding_idx=PADDING)
        if config.position == "learned":
            self.position = nn.Parameter(torch.zeros(config.length, width))
        else:
            table = sinusoids(config.length, width) if config.position == "sinusoidal" else None
            self.register_buffer("position", table)
        # Words first: with batches first PyTorch takes another path in evaluation, which zeroes
        # what "upstream" adds.
        self.layer = nn.TransformerEncoderLayer(width, config.heads, config.hidden, config.dropout)

    def forward(self, tokens: Tokens, lengths: Lengths) -> EncodedUtterance:
        words = self.embedding(tokens)
        if self.position is not None:
            if tokens.shape[1] > len(self.position):
                raise ValueError(
                    f"an utterance of {tokens.shape[1]} tokens is longer than the "
                    f"{len(self.position)} that have a position"
                )
            words = words + self.position[: tokens.shape[1]]
        padded = tokens == PADDING if self.padding == "upstream" else ~token_mask(tokens, lengths)
        words = self.layer(words.transpose(0, 1), src_key_padding_mask=padded).transpose(0, 1)
        return EncodedUtterance(words, mean_over_words(words, lengths, self.padding))


def utterance_encoder(
    config: UtteranceConfig, width: int
) -> WordEmbedding | RecurrentUtterance | TransformerUtterance:
    if config.encoder == "embedding":
        return WordEmbedding(config, width)
    if config.encoder == "transformer":
        return TransformerUtterance(config, width)
    return RecurrentUtterance(config, width)


def token_mask(tokens: Shaped[Tensor, "b l *d"], lengths: Lengths) -> Bool[Tensor, "b l"]:
    """True at words, False at padding."""
    return torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]


def mean_over_words(
    words: Float[Tensor, "b l d"], lengths: Lengths, padding: Literal["masked", "upstream"]
) -> Float[Tensor, "b d"]:
    """The mean of an utterance's word vectors; `upstream` also sums those at padding."""
    if padding == "masked":
        words = words.masked_fill(~token_mask(words, lengths)[..., None], 0.0)
    return words.sum(dim=1) / lengths[:, None]


def sinusoids(length: int, width: int) -> Float[Tensor, "{length} {width}"]:
    """Sines in the even dimensions, cosines in the odd ones (Vaswani et al. 2017)."""
    frequency = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    angle = torch.arange(length)[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)
