"""A model's vocabulary, and the tokens of utterances."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from firsthand.common.atomic import write_json
from firsthand.policy.checkpoints.storage import read_json

SPECIAL = ("<pad>", "<unk>", "<sos>", "<eos>")
PADDING, UNKNOWN, START, END = range(4)

# Tried in this order: "<unk>", what "don't", "gonna" and "cannot" begin with, clitics, words,
# "..." and "--", any other sign.
TOKEN = re.compile(
    r"<\w+>|[^\W_]+?(?=n['’]t\b)|n['’]t\b|['’](?:s|re|ve|ll|d|m)\b"
    r"|(?:gon|wan)(?=na\b)|got(?=ta\b)|can(?=not\b)|[^\W_]+|\.{2,}|-{2,}|\S"
)


def tokenised(text: str) -> str:
    """Plain text as corpora keep it: lower case, a space between tokens.

    The rules are the main ones of spaCy's English, with which SAYCam-S was cut up: "Don't, it's
    hers!" is "do n't , it 's hers !".
    """
    return " ".join(TOKEN.findall(text.lower()))


@dataclass(frozen=True)
class Vocabulary:
    """Words by their number; the first four are special (CVCL's file `vocab.json`)."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.words[:4] != SPECIAL:
            raise ValueError(f"a vocabulary begins with {SPECIAL}, not {self.words[:4]}")
        if len(self.numbers) < len(self.words):
            twice = next(word for word, n in Counter(self.words).items() if n > 1)
            raise ValueError(f"the vocabulary holds {twice!r} twice")

    @classmethod
    def read(cls, path: Path) -> "Vocabulary":
        """A table of words and numbers, as `write` and SAYCam-S's `vocab.json` have it.

        Raises:
            ValueError: the file cannot be read, or its numbers are not 0, 1, 2 and so on.
        """
        if not path.is_file():
            raise ValueError(f"there is no file {path}")
        numbers = read_json(path)
        words = sorted(numbers, key=lambda word: str(numbers[word]).zfill(12))
        if [numbers[word] for word in words] != list(range(len(words))):
            raise ValueError(f"{path} does not number its {len(words)} words from 0 on")
        try:
            return cls(tuple(words))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def write(self, path: Path) -> None:
        write_json(path, self.numbers, indent=2)

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self.numbers

    @cached_property
    def numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    def encode(
        self, utterances: Sequence[str], *, length: int = 25, ends: bool = True
    ) -> tuple[Int[Tensor, "b l"], Int[Tensor, " b"]]:
        """Tokenised utterances as rows of numbers, padded to the longest, and how long each is.

        At most `length` tokens are kept. With `ends` they lie between `<sos>` and `<eos>`, as
        utterances do in training; CVCL's evaluations ask for bare words.

        Raises:
            ValueError: an utterance has no token.
        """
        rows = []
        for utterance in utterances:
            known = [self.numbers.get(word, UNKNOWN) for word in utterance.split()]
            rows.append([START, *known[: length - 2], END] if ends else known[:length])
            if not rows[-1]:
                raise ValueError(f"utterance {len(rows) - 1} of {len(utterances)} is empty")
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        tokens = torch.full((len(rows), int(lengths.max())), PADDING)
        for row, numbers in zip(tokens, rows, strict=True):
            row[: len(numbers)] = torch.tensor(numbers)
        return tokens, lengths
