"""The choices of an evaluation of word-grounding models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class GroundEvalConfig:
    """What is measured, and how."""

    trials: tuple[str, ...] = ()
    """Files in the corpus, each a test set; empty: all with a known name
    (`grounding.evaluation.test_sets.TITLES`)."""
    shrunk: tuple[str, ...] = ("eval_object_categories.json",)
    """Those files whose images (objects on white, as Konkle's) are shown half as large, in the
    middle of white."""
    ends: bool = False
    """Whether words are encoded between `<sos>` and `<eos>`; False: bare, as in CVCL's
    evaluations."""
    called: Mapping[str, str] = field(default_factory=lambda: {"cat": "kitty"})
    """Another word for a category: SAYCam's "cat" is mostly a "kitty". It is used if it stands
    before the category's own in the vocabulary (frequent words first), or that is missing."""
    checkpoint: Literal["last", "best"] = "last"
    """Which model of a run: the `last`, or the one with the `best` held-out loss, which rises long
    before words stop being learned."""
    shares: tuple[float, ...] = (0.01, 0.1, 1.0)
    """Shares of the labels in `eval/dev` that linear probes are trained on, within (0, 1],
    ascending."""
    compared: Literal["probability", "logit"] = "probability"
    """What probes compare images by: the probability of a class, or as upstream its logit."""
    clip: str = ""
    """Folder with a CLIP saved by transformers, to be evaluated too; empty: none."""
    stitched: str = ""
    """A second model, for the section on stitching; empty: no such section."""
    permutations: int = 9999
    """Of concepts, for the p-value of correlated similarities (Mantel)."""
    layer_permutations: int = 200
    """Of concepts, for the p-value of the agreement of layers."""
    seed: int = 0
    """Of the permutations."""
    links: bool = False
    """Whether links in the corpus are followed wherever they lead; False: those that lead out of
    it are refused."""

    def __post_init__(self) -> None:
        if wrong := [share for share in self.shares if not 0 < share <= 1]:
            raise ValueError(f"shares lie in (0, 1], not at {wrong[0]}")
        if list(self.shares) != sorted(set(self.shares)):
            raise ValueError(f"shares grow from one to the next, unlike {list(self.shares)}")
