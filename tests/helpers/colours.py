"""A corpus of colours, and a model that knows them."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from firsthand.grounding.config import GroundingConfig, UtteranceConfig, VisionConfig
from firsthand.grounding.image_encoder import Vision
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.vocabulary import SPECIAL, Vocabulary
from firsthand.policy.modules.image_encoder import ImageFeatures
from tests.helpers.trials import make_trials, write_trials

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220), "grey": (9, 9, 9)}


class Eyes(Vision):
    """Sees the mean colour and nothing else, in two stages."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__(config)
        self.blocks = nn.Sequential(nn.Identity(), nn.AvgPool2d(2))
        self.width = self.grid_width = 3

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        return self.blocks(images)

    def pool(self, features: torch.Tensor) -> ImageFeatures:
        return ImageFeatures(features, features.mean(dim=(2, 3)))


def make_model(similarity: str = "flat") -> GroundingModel:
    """What is seen lies where what is said does, of all words but grey."""
    words = Vocabulary((*SPECIAL, "red", "green", "blue"))
    vision = VisionConfig(model="test_resnet", size=16)
    config = GroundingConfig(vision, UtteranceConfig(words=7), width=3, similarity=similarity)
    made = GroundingModel(config, words).eval()
    made.vision, made.project = Eyes(vision), nn.Linear(3, 3)
    with torch.no_grad():
        made.project.weight.copy_(torch.eye(3))
        made.project.bias.zero_()
        made.utterance.embedding.weight[4:] = torch.eye(3) + torch.tensor([0.0, 0.1, 0.0])
    return made


def make_root(root: Path) -> Path:
    """Trials of four and of two choices, labelled pictures, pictures on white and utterances."""
    names = _pictures(root, "eval/test", 4)
    write_trials(root / "eval_test.json", make_trials(names, each=5))
    write_trials(root / "eval_test_9_foils.json", make_trials(names, each=5, seed=1))
    write_trials(root / "pairs.csv", make_trials(names, choices=2, each=5))
    objects = _pictures(root, "object_categories", 4)
    write_trials(root / "eval_object_categories.json", make_trials(objects, each=8))
    _pictures(root, "eval/dev", 10)
    said = ["a red ball", "red red", "the green one", "blue", "look"]
    rows = [
        {
            "utterance": utterance,
            "transcript_filename": "t.csv",
            "video_filename": "v.mp4",
            "utterance_num": number + 1,
            "num_frames": 1,
            "timestamps": [0.0],
            "frame_filenames": ["v_001_00.jpg"],
        }
        for number, utterance in enumerate(said)
    ]
    (root / "train.json").write_text(json.dumps({"data": rows}))
    return root


def _pictures(root: Path, folder: str, each: int) -> dict[str, list[str]]:
    random = np.random.default_rng(0)
    names: dict[str, list[str]] = {}
    for word, colour in COLOURS.items():
        (root / folder / word).mkdir(parents=True)
        names[word] = [f"{folder}/{word}/{i}.png" for i in range(each)]
        for name in names[word]:
            noise = random.integers(-9, 10, (20, 24, 3))
            picture = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(picture).save(root / name)
    return names
