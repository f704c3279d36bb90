"""What a word-grounding model has learned, measured as CVCL measures it (Vong et al. 2024)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from episodes.errors import UserError
from policy.grounding import GroundingModel
from policy.images import imagenet_normalised, to_unit
from pretrain.alignment.concepts import Agreement, concept_agreement
from pretrain.forced_choice import Choices, forced_choice
from pretrain.retrieval import WordRetrieval, frames_by_word, words_by_frame
from pretrain.trials import Trial, locate, read_trials

BATCH = 64  # pictures that are encoded at a time


@dataclass(frozen=True)
class GroundEvalConfig:
    """`trials` names files in the corpus, each a test set.

    Words are asked for bare, as CVCL's evaluations do, or between `<sos>` and `<eos>` (`ends`).
    `called` says how the child hears a category called: to SAYCam's "cat" is "kitty".

    The pictures of the files in `shrunk`, objects on white as Konkle's, are shown half as large, in
    the middle of white.
    """

    trials: tuple[str, ...] = ("eval_test.json",)
    shrunk: tuple[str, ...] = ("eval_object_categories.json",)
    ends: bool = False
    called: Mapping[str, str] = field(default_factory=dict)
    permutations: int = 9999
    seed: int = 0


@dataclass(frozen=True)
class TestSet:
    """Figures of one file of trials. Only trials are counted whose words the model knows.

    unknown: words that it does not know. retrieval: of frames by word, the average precision.
    agreement: whether concepts that look alike are called alike; None of fewer than 3, or if all
        are equally alike.
    """

    __test__ = False  # pytest takes it for a test

    choices: Choices
    pictures: int
    unknown: tuple[str, ...]
    retrieval: Mapping[str, float]
    words: WordRetrieval
    agreement: Agreement | None

    def plain(self) -> dict[str, object]:
        """As JSON values."""
        return {
            "accuracy": self.choices.accuracy,
            "chance": self.choices.chance,
            "trials": len(self.choices.credit),
            "pictures": self.pictures,
            "by_word": self.choices.by_word,
            "unknown": list(self.unknown),
            "average_precision": dict(self.retrieval),
            "words_by_frame": asdict(self.words),
            "concepts": None if self.agreement is None else self.agreement._asdict(),
        }


def measure_words(
    model: GroundingModel, root: Path, config: GroundEvalConfig
) -> dict[str, TestSet]:
    """The figures of every test set of the corpus at `root`, by the name of its file.

    Raises:
        UserError: a file or picture is missing or malformed, the model has no vocabulary or knows
            none of the words.
    """
    return {name: _measure(model, root, name, config) for name in config.trials}


def _measure(model: GroundingModel, root: Path, name: str, config: GroundEvalConfig) -> TestSet:
    trials = read_trials(root / name)
    asked = sorted({trial.word for trial in trials})
    words = encode_words(model, asked, config)
    trials = [trial for trial in trials if trial.word in words]
    if not trials:
        raise UserError(f"{root / name}: the model knows none of the words {', '.join(asked)}")
    shown, places = _pictures(trials, root)
    vectors = encode_pictures(model, list(places.values()), shrunk=name in config.shrunk)
    images = dict(zip(places, vectors, strict=True))
    mine = [picture for picture in shown if shown[picture] in words]
    frames, labels = torch.stack([images[p] for p in mine]), [shown[p] for p in mine]
    means = torch.stack([frames[np.array(labels) == word].mean(dim=0) for word in words])
    found = frames_by_word(frames, labels, words)
    return TestSet(
        choices=forced_choice(trials, images, words),
        pictures=len(images),
        unknown=tuple(word for word in asked if word not in words),
        retrieval={word: figures.average_precision for word, figures in found.items()},
        words=words_by_frame(frames, labels, words),
        agreement=_agreement(means, torch.stack(list(words.values())), config),
    )


def _agreement(
    seen: Float[Tensor, "n d"], said: Float[Tensor, "n d"], config: GroundEvalConfig
) -> Agreement | None:
    try:
        return concept_agreement(seen, said, permutations=config.permutations, seed=config.seed)
    except ValueError:  # too few, or nothing is more like one thing than like another
        return None


def _pictures(trials: Sequence[Trial], root: Path) -> tuple[dict[str, str], dict[str, Path]]:
    """What each picture shows, and where it lies, by its name in the trials."""
    shown: dict[str, str] = {}
    places: dict[str, Path] = {}
    for trial in trials:
        if any(picture not in places for picture in trial.images):
            places |= dict(zip(trial.images, locate(root, trial), strict=True))
            shown |= dict(zip(trial.images, trial.categories, strict=True))
    return shown, places


@torch.no_grad()
def encode_words(
    model: GroundingModel, words: Sequence[str], config: GroundEvalConfig
) -> dict[str, Float[Tensor, " d"]]:
    """The vectors of those words that the model knows, on the CPU."""
    vocabulary = model.vocabulary
    if vocabulary is None:
        raise UserError("the model has no vocabulary: load it with CVCL's vocab.json")
    called = {word: config.called.get(word, word) for word in words}
    asked = [word for word in words if called[word] in vocabulary]
    if not asked:
        return {}
    tokens, lengths = vocabulary.encode([called[word] for word in asked], ends=config.ends)
    device = model.project.weight.device
    vectors = model.encode_text(tokens.to(device), lengths.to(device))
    return dict(zip(asked, vectors.cpu(), strict=True))


@torch.no_grad()
def encode_pictures(
    model: GroundingModel, paths: Sequence[Path], *, shrunk: bool = False
) -> list[Float[Tensor, " d"]]:
    """The vectors of pictures, resized (bicubic) to what the model looks at, on the CPU.

    Those that are `shrunk` fill the middle half of that, on white.
    """
    device, size = model.project.weight.device, model.config.vision.size
    vectors: list[Float[Tensor, " d"]] = []
    for start in range(0, len(paths), BATCH):
        pixels = torch.stack([_read(path, size, shrunk) for path in paths[start : start + BATCH]])
        images = imagenet_normalised(to_unit(pixels.to(device)))
        vectors += list(model.encode_image(images).cpu())
    return vectors


def _read(path: Path, size: int, shrunk: bool) -> Tensor:
    try:
        with Image.open(path) as file:
            picture = file.convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: is no readable picture: {error}") from error
    side = size // 2 if shrunk else size
    if picture.size != (side, side):
        picture = picture.resize((side, side), Image.Resampling.BICUBIC)
    if shrunk:
        canvas = Image.new("RGB", (size, size), "white")
        canvas.paste(picture, (size // 4, size // 4))
        picture = canvas
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def as_markdown(sets: Mapping[str, TestSet]) -> str:
    """A table of all sets, and one of every word in them."""
    lines = [
        "| test set | trials | chance | accuracy | frames by word | words by frame | concepts |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in sets.items():
        precision = float(np.mean(list(found.retrieval.values())))
        concepts = (
            "" if found.agreement is None else "r = {:.2f}, p = {:.4f}".format(*found.agreement)
        )
        lines.append(
            f"| {name} | {len(found.choices.credit)} | {_percent(found.choices.chance)} "
            f"| {_percent(found.choices.accuracy)} | AP {precision:.2f} "
            f"| {_percent(found.words.first)} | {concepts} |"
        )
    words = sorted({word for found in sets.values() for word in found.choices.by_word})
    lines += ["", f"| word | {' | '.join(sets)} |", "|---|" + "---|" * len(sets)]
    for word in words:
        row = [found.choices.by_word.get(word) for found in sets.values()]
        shown = ["" if value is None else _percent(value) for value in row]
        lines.append(f"| {word} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
