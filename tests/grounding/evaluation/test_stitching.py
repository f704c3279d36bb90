"""One model's eyes in the place of another's."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from firsthand.common.errors import UserError
from firsthand.grounding.evaluation import evaluate
from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.stitching import (
    Stitch,
    as_json,
    as_markdown,
    fitted,
    measure_stitching,
    ridge,
)
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.report.markdown import as_markdown as page_of
from firsthand.grounding.study import Member, Study
from firsthand.grounding.vocabulary import SPECIAL, Vocabulary
from tests.helpers.colours import COLOURS, make_model, make_root

CONFIG = GroundEvalConfig(trials=("eval_test.json",))


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(seed=st.integers(0, 10**6), width=st.integers(1, 6), wide=st.integers(1, 5))
@settings(max_examples=30)
def test_an_affine_map_is_found(seed, width, wide):
    x, weight, bias = drawn(seed, 40, width), drawn(seed + 1, width, wide), drawn(seed + 2, wide)
    found = ridge(x, x @ weight + bias, 0.0)
    torch.testing.assert_close(found.weight, weight, atol=1e-6, rtol=0)
    torch.testing.assert_close(found(x), x @ weight + bias, atol=1e-6, rtol=0)


@given(seed=st.integers(0, 10**6), penalty=st.floats(1e-3, 10), scale=st.floats(0.01, 100))
@settings(max_examples=30)
def test_the_map_is_ridge_regressions_whatever_the_scale(seed, penalty, scale):
    """By the equations of least squares with rows added for the penalty."""
    x, y = drawn(seed, 30, 4), drawn(seed + 1, 30, 3)
    found = ridge(x, y, penalty)
    centred, aim = x - x.mean(dim=0), y - y.mean(dim=0)
    size = (penalty * centred.square().mean() * len(x)).sqrt()
    rows = torch.cat([centred, size * torch.eye(4, dtype=x.dtype)])
    wanted = torch.linalg.lstsq(rows, torch.cat([aim, torch.zeros_like(aim[:4])])).solution
    torch.testing.assert_close(found.weight, wanted, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(ridge(scale * x, y, penalty)(scale * x), found(x))


def test_the_penalty_is_what_others_need():
    """Of wide features without a meaning nothing is left; of one that tells everything, all."""
    x = drawn(0, 60, 40)
    nothing = fitted(x, drawn(1, 60, 2))
    assert nothing(x).std(dim=0).max() < 0.3
    y = 3 * x[:, :1] + 1
    known = fitted(x[:, :1], y)
    assert float((known(x[:, :1]) - y).abs().max()) < 1e-2


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A corpus of colours, and held-out utterances with frames."""
    made = make_root(tmp_path_factory.mktemp("root"))
    (made / "train_5fps").mkdir()
    random, rows = np.random.default_rng(1), []
    for number in range(60):
        word = (*COLOURS,)[number % 4]
        names = [f"v_{number:03}_{frame:02}.png" for frame in range(3)]
        for name in names:
            colour = np.array(COLOURS[word]) + random.integers(-40, 41, 3)
            picture = np.full((16, 16, 3), np.clip(colour, 0, 255), np.uint8)
            Image.fromarray(picture).save(made / "train_5fps" / name)
        rows.append({
            "utterance": word,
            "transcript_filename": "t.csv",
            "video_filename": "v.mp4",
            "utterance_num": number + 1,
            "num_frames": 3,
            "timestamps": [0.0, 0.2, 0.4],
            "frame_filenames": names,
        })  # fmt: skip
    (made / "val.json").write_text(json.dumps({"data": rows}))
    return made


def straight(similarity: str = "flat") -> GroundingModel:
    """What it has no word for, grey, is unlike all that it knows; the ends of utterances say
    nothing."""
    model = make_model(similarity)
    with torch.no_grad():
        model.utterance.embedding.weight[: len(SPECIAL)] = 0.0
        model.utterance.embedding.weight[SPECIAL.index("<unk>")] = -1.0
    return model


def turned() -> GroundingModel:
    """Sees and hears as `straight` does, in axes that are turned."""
    model = straight()
    turn, _ = torch.linalg.qr(drawn(3, 3, 3).float())
    with torch.no_grad():
        model.project.weight.copy_(turn)
        words = model.utterance.embedding.weight
        words.copy_(words @ turn.t())
    return model


@pytest.fixture(scope="module")
def stitches(root) -> dict[str, Stitch]:
    models = {"one": straight(), "other": turned()}
    return {stitch.label: stitch for stitch in measure_stitching(models, root, CONFIG)}


def test_eyes_that_see_the_same_do_in_each_others_place(stitches):
    for here, there in (("one", "other"), ("other", "one")):
        own = stitches[f"{here}, its own eyes"]
        assert own.own
        assert own.choices["eval_test.json"].accuracy > 0.9
        for label in (
            f"{there}'s eyes to where {here} sees",
            f"{there}'s eyes to where {here} hears",
            f"{here}'s ears to where {there} sees",
        ):
            found, mixed = stitches[label], stitches[f"{label}, pairs mixed up"]
            assert not found.own
            assert found.choices["eval_test.json"].accuracy > 0.9
            assert found.precision["eval_test.json"] > 0.9
            assert mixed.choices["eval_test.json"].accuracy < 0.7
    assert len(stitches) == 14


def test_they_are_compared_with_the_models_own(stitches):
    page = as_markdown(list(stitches.values())).splitlines()
    assert page[0] == "|  | frames | left | AP |"
    assert page[2].startswith("| **other, its own eyes** | ")
    assert "100 %" in page[2]
    assert len(page) == 16
    rows = as_json(list(stitches.values()))
    assert rows[0]["label"] == "other, its own eyes"
    json.dumps(rows)


def test_the_report_has_a_section_on_a_second_model(root, tmp_path, monkeypatch):
    models = {"first": straight(), str(tmp_path): turned()}
    monkeypatch.setattr(evaluate, "load_model", models.__getitem__)
    study = Study(root, {}, (Member("natural", 0, "first"),), "run")
    config = replace(CONFIG, permutations=5, layer_permutations=2, stitched=str(tmp_path))
    page = page_of(evaluate.evaluate([study], config).report, {})
    assert "## Do one model's eyes do in the other's place?" in page
    assert page.count("| **the model, its own eyes** |") == 1
    assert page.count("the other's eyes to where the model sees") == 2


def test_only_words_that_both_know_are_asked_for(root):
    other = turned()
    other.vocabulary = Vocabulary((*SPECIAL, "red", "green", "yellow"))
    found = measure_stitching({"one": straight(), "other": other}, root, CONFIG)
    assert {w for stitch in found for w in stitch.choices["eval_test.json"].words} == {
        "red",
        "green",
    }
    other.vocabulary = Vocabulary((*SPECIAL, "a", "b", "c"))
    with pytest.raises(UserError, match="no trial asks for a word that both models know"):
        measure_stitching({"one": straight(), "other": other}, root, CONFIG)


def test_places_are_stitched_too(root):
    models = {"one": straight("mean"), "other": turned()}
    assert isinstance(models["one"].project, nn.Linear)
    found = measure_stitching(models, root, CONFIG)
    assert all(np.isfinite(s.precision["eval_test.json"]) for s in found)


def test_few_pairs_are_refused(root, tmp_path):
    for name in ("eval", "train_5fps", "object_categories"):
        shutil.copytree(root / name, tmp_path / name)
    (tmp_path / "eval_test.json").write_bytes((root / "eval_test.json").read_bytes())
    row = json.loads((root / "val.json").read_text())["data"][0]
    (tmp_path / "val.json").write_text(json.dumps({"data": [row]}))
    models = {"one": straight(), "other": turned()}
    with pytest.raises(UserError, match=r"val\.json: 3 pictures are too few"):
        measure_stitching(models, tmp_path, replace(CONFIG, seed=1))
