"""A CLIP of random weights is asked as models are."""

import pytest
import torch

from firsthand.common.errors import UserError
from firsthand.grounding.evaluation.clip_baseline import ClipScorer
from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.embeddings import read_images
from firsthand.grounding.evaluation.test_sets import find_test_sets
from firsthand.policy.modules.clip_text import tokenize
from tests.helpers.colours import make_root

SMALL = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}


@pytest.fixture
def saved(tmp_path):
    from transformers import CLIPConfig, CLIPModel  # after policy, which mends torchvision

    torch.manual_seed(0)
    text = {**SMALL, "num_attention_heads": 2, "eos_token_id": 49407}
    vision = {**SMALL, "num_attention_heads": 2, "image_size": 32, "patch_size": 16}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    model = CLIPModel(config).eval()
    model.save_pretrained(tmp_path / "clip")
    return tmp_path / "clip", model


def test_clip_is_asked_by_bare_names(saved, tmp_path):
    folder, model = saved
    sets = find_test_sets(make_root(tmp_path / "root"), GroundEvalConfig())
    frames = sets["eval_test.json"]
    judge = ClipScorer(str(folder)).score(frames, frames.words)
    path = next(iter(judge.similarity))
    pixels = read_images([path], 32, False) / 255
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
    with torch.no_grad():
        found = model(input_ids=tokenize(list(frames.words)), pixel_values=(pixels - mean) / std)
    cosines = found.image_embeds @ found.text_embeds.t()
    assert torch.allclose(judge.similarity[path], cosines[0], atol=1e-5)
    choices = judge.choose(frames)
    assert choices is not None
    assert len(choices.credit) == 20


def test_no_clip_is_said_in_a_line(tmp_path):
    with pytest.raises(UserError, match=r"clip=.*nowhere: .*"):
        ClipScorer(str(tmp_path / "nowhere"))
