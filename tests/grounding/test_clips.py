"""Learning from clips what happens in them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firsthand.grounding.config import ClipConfig, GroundingConfig, UtteranceConfig, VisionConfig
from firsthand.grounding.evaluation.verbs import FILES, measure_verbs
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.pairs import PairConfig
from firsthand.grounding.train import GroundConfig, ground
from firsthand.grounding.train_study import varied
from firsthand.training.config import TrainConfig

DEEDS = ("rise", "fall", "okay")
CONFIG = GroundConfig(
    model=GroundingConfig(
        VisionConfig(encoder="blocks", widths=(8,), size=16, frozen=False),
        UtteranceConfig(),
        width=16,
        clip=ClipConfig(frames=4, widths=(8, 16)),
    ),
    pairs=PairConfig(size=16, least=1.0, flipped=0.0, blurred=0.0, about=("rise", "fall")),
    training=TrainConfig(
        steps=60,
        batch_size=16,
        learning_rate=1e-2,
        warmup=4,
        ema=0.0,
        validate_every=60,
        checkpoint_every=60,
        precision="fp32",
    ),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A light that rises or falls from anywhere, of any brightness, and other talk."""
    made = tmp_path_factory.mktemp("clips")
    (made / "train_5fps").mkdir()
    random = np.random.default_rng(0)
    clips = {verb: [film(made, f"{verb}_{k}", verb, random) for k in range(40)] for verb in DEEDS}
    for file, part in (("train.json", slice(0, 24)), ("val.json", slice(24, 32))):
        rows = [row(verb, names) for verb in DEEDS for names in clips[verb][part]]
        (made / file).write_text(json.dumps({"data": rows}))
    words = ("<pad>", "<unk>", "<sos>", "<eos>", *DEEDS)
    (made / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    trials = [
        {
            "target_verb": verb,
            "target_frame_filenames": [f"train_5fps/{name}" for name in target],
            "foil_verbs": [foil],
            "foil_frame_filenames": [[f"train_5fps/{name}" for name in other]],
            "still": [int(k) for k in random.integers(6, size=2)],
        }
        for verb, foil in (("rise", "fall"), ("fall", "rise"))
        for target, other in zip(clips[verb][32:], clips[foil][32:], strict=True)
    ]
    (made / FILES[0]).write_text(json.dumps({"data": trials}))
    return made


def film(root: Path, stem: str, verb: str, random: np.random.Generator) -> list[str]:
    """Six frames of 16 x 16 pixels."""
    way = {"rise": -1, "fall": 1, "okay": 0}[verb]
    row, column = random.integers(5, 8), random.integers(1, 12)
    light = random.integers(120, 250)
    names = []
    for k in range(6):
        frame = np.zeros((16, 16, 3), np.uint8)
        top = row + way * (k - 2 - (way < 0))
        frame[top : top + 3, column : column + 3] = light
        names.append(f"{stem}_{k}.png")
        Image.fromarray(frame).save(root / "train_5fps" / names[-1])
    return names


def row(said: str, names: list[str]) -> dict:
    return {
        "utterance": said,
        "transcript_filename": "t.csv",
        "video_filename": "v.mp4",
        "utterance_num": 1,
        "num_frames": len(names),
        "timestamps": [0.2 * k for k in range(len(names))],
        "frame_filenames": names,
    }


@pytest.mark.parametrize(
    ("variant", "least", "most"),
    [("natural", 0.9, 1.0), ("still", 0.2, 0.8), ("jumbled", 0.1, 0.9)],
)
def test_what_happens_is_learned_by_who_sees_in_which_order(root, tmp_path, variant, least, most):
    config = varied(CONFIG, variant, 0)
    if variant != "natural":  # there is nothing to be learned
        config = replace(config, training=replace(config.training, steps=8, validate_every=8))
    model = GroundingModel.from_pretrained(ground(config, root, tmp_path).model)
    assert model.config.clip == config.model.clip
    found = measure_verbs(model, root)[FILES[0]]
    assert len(found.credit) == 16
    assert least <= found.accuracy <= most
