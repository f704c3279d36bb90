"""The choices of an evaluation of word-grounding models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class GroundEvalConfig:
    """`trials` names files in the corpus, each a test set; if it names none, all that are known by
    their name are taken (`grounding.evaluation.test_sets.TITLES`).

    Words are asked for bare, as CVCL's evaluations do, or between `<sos>` and `<eos>` (`ends`).
    `called` says how else a category may be called: SAYCam's "cat" is mostly a "kitty". The other
    name is asked for if the vocabulary, which has frequent words first, has it before the
    category's own, or has not got that.

    The pictures of the files in `shrunk`, objects on white as Konkle's, are shown half as large, in
    the middle of white.

    Of a run its `last` model is measured, or the one with the `best` held-out loss, which rises
    long before words stop being learned. `shares` are those of the labels in `eval/dev` that linear
    probes learn from; these compare pictures by a word's probability, or as upstream by its logit
    (`compared`). `clip` is a folder with a CLIP of transformers, which is then asked too.
    `stitched` is a second model, for the section on stitching. `links` in the corpus are followed
    wherever they lead, or refused.
    """

    trials: tuple[str, ...] = ()
    shrunk: tuple[str, ...] = ("eval_object_categories.json",)
    ends: bool = False
    called: Mapping[str, str] = field(default_factory=lambda: {"cat": "kitty"})
    checkpoint: Literal["last", "best"] = "last"
    shares: tuple[float, ...] = (0.01, 0.1, 1.0)
    compared: Literal["probability", "logit"] = "probability"
    clip: str = ""
    stitched: str = ""
    permutations: int = 9999
    layer_permutations: int = 200
    seed: int = 0
    links: bool = False

    def __post_init__(self) -> None:
        if wrong := [share for share in self.shares if not 0 < share <= 1]:
            raise ValueError(f"shares lie in (0, 1], not at {wrong[0]}")
        if list(self.shares) != sorted(set(self.shares)):
            raise ValueError(f"shares grow from one to the next, unlike {list(self.shares)}")
