"""Choosing the clip in which something is done."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from firsthand.common.errors import UserError
from firsthand.grounding.config import ClipConfig, GroundingConfig, UtteranceConfig, VisionConfig
from firsthand.grounding.evaluation.verbs import FILES, VerbChoices, measure_verbs
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.vocabulary import SPECIAL, Vocabulary

FRAMES = 3
CONFIG = GroundingConfig(
    VisionConfig(encoder="blocks", widths=(4,), size=8),
    UtteranceConfig(words=6),
    width=2,
    clip=ClipConfig(frames=FRAMES, widths=(4, 4)),
)


class Dawn(GroundingModel):
    """Sees how much brighter it gets from the first frame to the last; of a picture, how bright."""

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        light = images.mean(dim=(-3, -2, -1))
        if light.ndim == 2:
            light = light[:, -1] - light[:, 0]
        return nn.functional.normalize(torch.stack([light, torch.ones_like(light)], dim=1), dim=1)


def model_of(config: GroundingConfig = CONFIG) -> GroundingModel:
    """To whom `light` is what gets brighter and `dark` what gets darker."""
    made = Dawn(config, Vocabulary((*SPECIAL, "light", "dark")))
    with torch.no_grad():
        made.utterance.embedding.weight[4:] = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    return made


@pytest.fixture
def root(tmp_path) -> Path:
    """Six frames, ever brighter, and the same backwards; in stills both are alike."""
    (tmp_path / "clips").mkdir()
    films = {}
    for verb, greys in (("light", range(40, 160, 20)), ("dark", range(140, 20, -20))):
        films[verb] = [f"clips/{verb}_{k}.png" for k in range(6)]
        for name, grey in zip(films[verb], greys, strict=True):
            Image.new("RGB", (12, 8), (grey,) * 3).save(tmp_path / name)
    rows = [trial(films, "light", "dark", [2, 3]), trial(films, "dark", "light", [1, 2])]
    rows.append(trial(films, "melt", "light", [0, 0]) | {"target_frame_filenames": films["dark"]})
    (tmp_path / FILES[0]).write_text(json.dumps({"data": rows}))
    return tmp_path


def trial(films: dict[str, list[str]], verb: str, foil: str, still: list[int]) -> dict:
    return {
        "target_verb": verb,
        "target_frame_filenames": films.get(verb),
        "foil_verbs": [foil],
        "foil_frame_filenames": [films[foil]],
        "still": still,
    }


def test_clips_are_told_apart_by_the_order_of_their_frames(root):
    found = measure_verbs(model_of(), root)
    assert list(found) == [FILES[0]], "the other file is not there"
    choices = found[FILES[0]]
    assert choices.words == ("light", "dark"), "what the model has no word for is not asked"
    assert choices.credit == (1.0, 1.0)
    assert choices.chance == 0.5


def test_one_picture_of_each_is_as_bright_and_no_choice(root):
    found = measure_verbs(model_of(replace(CONFIG, clip=ClipConfig())), root)[FILES[0]]
    assert found.credit == (0.5, 0.0)  # grey 80 twice; 120 is not as dark as 80


def test_a_clip_out_of_order_is_always_out_of_the_same_order(root):
    row = json.loads((root / FILES[0]).read_text())["data"][0]
    rows = []
    for k in range(12):  # films of other names
        text = json.dumps(row).replace(".png", f"_{k}.png")
        rows.append(json.loads(text))
        for path in (root / "clips").glob("*_?.png"):
            path.with_stem(f"{path.stem}_{k}").write_bytes(path.read_bytes())
    (root / FILES[0]).write_text(json.dumps({"data": rows}))
    shuffled = model_of(replace(CONFIG, clip=replace(CONFIG.clip, order="shuffled")))
    found = measure_verbs(shuffled, root)[FILES[0]]
    assert 0.25 < found.accuracy < 0.75
    assert found == measure_verbs(shuffled, root)[FILES[0]]


def test_confusions_are_shares_of_the_times_that_a_verb_was_offered():
    choices = VerbChoices(
        words=("a", "a", "b"),
        credit=(1.0, 0.5, 0.0),
        chance=0.5,
        verbs=(("a", "b"), ("a", "c"), ("b", "a")),
        shares=((1.0, 0.0), (0.5, 0.5), (0.0, 1.0)),
    )
    verbs, shares = choices.confusion()
    assert verbs == ["a", "b", "c"]
    nan = np.nan
    wanted = [[0.75, 0.0, 0.5], [1.0, 0.0, nan], [nan, nan, nan]]
    assert np.array_equal(shares, np.array(wanted), equal_nan=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"foil_verbs": []}, "1 verbs, 2 clips and 2 frames in `still`"),
        ({"still": [0, 6]}, r"`still` is \[0, 6\], the clips are shorter"),
        ({"still": None}, "is no trial of verbs"),
        ({"foil_frame_filenames": [[7]]}, "a verb or a file name is no text"),
    ],
)
def test_a_malformed_trial_is_named(root, change, said):
    rows = json.loads((root / FILES[0]).read_text())["data"]
    rows[1] |= change
    (root / FILES[0]).write_text(json.dumps({"data": rows}))
    with pytest.raises(UserError, match=rf"eval_verbs\.json: trial 1: .*{said}"):
        measure_verbs(model_of(), root)


def test_what_cannot_be_asked_or_seen_is_named(root):
    (root / "clips" / "dark_3.png").unlink()
    with pytest.raises(UserError, match=r"dark_3\.png"):
        measure_verbs(model_of(), root)
    (root / FILES[0]).write_text("{}")
    with pytest.raises(UserError, match="holds no list of trials"):
        measure_verbs(model_of(), root)
    with pytest.raises(UserError, match="the model has no vocabulary"):
        measure_verbs(GroundingModel(CONFIG), root)
