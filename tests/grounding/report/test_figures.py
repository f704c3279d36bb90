"""All pictures of a study of colours, and where they go."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.evaluate import Evaluation, evaluate
from firsthand.grounding.evaluation.verbs import VerbChoices
from firsthand.grounding.report import tensorboard as board
from firsthand.grounding.report.figures import captions, draw_figures, sample_frames
from firsthand.grounding.report.style import evenly_spaced
from firsthand.grounding.report.tensorboard import (
    Embedding,
    embeddings_of,
    fit_sprites,
    save_images,
    scalars_of,
    write_tensorboard,
)
from firsthand.grounding.study import Member, Study
from tests.helpers.colours import make_model, make_root


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Evaluation:
    root = make_root(tmp_path_factory.mktemp("colours"))
    saved = tmp_path_factory.mktemp("model")
    make_model().save_pretrained(saved)
    studies = [
        Study(root, {"aligned": aligned}, (Member("natural", 0, "here"),), name)
        for name, aligned in (("one", 0.15), ("two", 0.45))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "firsthand.grounding.evaluation.evaluate.load_model", lambda name: make_model()
        )
        return evaluate(studies, GroundEvalConfig(permutations=20, layer_permutations=5))


@pytest.fixture(scope="module")
def pictures(found):
    verbs = VerbChoices(("lift",), (1.0,), 0.5, (("lift", "drop"),), ((1.0, 0.0),))
    return draw_figures(
        found.report, found.scene, make_model(), {"eval_verbs_reversed.json": verbs}
    )


def test_everything_that_there_is_is_drawn(pictures):
    assert list(pictures) == [
        "accuracy", "alignment_curve", "categories", "categories_object_categories",
        "said_against_accuracy", "layers", "concepts", "frames_map", "distance_against_accuracy",
        "concept_matrices", "looks", "frames_by_word", "words_by_frame", "verbs_reversed",
    ]  # fmt: skip
    for picture in pictures.values():
        assert picture.dtype == np.uint8
        assert picture.std() > 1


def test_a_report_without_a_scene_or_other_studies_is_drawn_too(found):
    report = replace(found.report, curve=(), layers=None, exchange=None)
    assert list(draw_figures(report, None, make_model())) == [
        "accuracy", "categories", "categories_object_categories",
    ]  # fmt: skip


def test_a_model_that_knows_colours_has_no_frame_in_red(pictures):
    """There are four of each; what is nearest after these is framed."""
    red = (pictures["frames_by_word"] == (214, 32, 32)).all(axis=2)
    for row in range(3):
        corners = [red[4 + 100 * row :, 96 + 100 * column :][:4, :4].all() for column in range(10)]
        assert corners == [False] * 4 + [True] * 6
    labels = pictures["words_by_frame"][4:18]
    assert (labels == (0, 128, 60)).all(axis=2).any()
    assert not (labels == (214, 32, 32)).all(axis=2).any()


def test_every_picture_has_a_caption_of_its_own(pictures):
    lines = captions(list(pictures))
    assert lines.keys() == pictures.keys()
    assert len(set(lines.values())) == len(lines)
    assert lines["categories_object_categories"] == "Right choices by category (object categories)."
    assert lines["verbs_reversed"].startswith("Which verbs are chosen")


def test_frames_are_spread_evenly():
    assert evenly_spaced(3, 5) == [0, 1, 2]
    assert evenly_spaced(100, 4) == [0, 25, 50, 75]
    assert evenly_spaced(0, 4) == []


def test_pictures_are_saved_as_they_are(pictures, tmp_path):
    save_images(pictures, tmp_path / "pictures")
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        f"{name}.png" for name in pictures
    }
    read = np.asarray(Image.open(tmp_path / "pictures" / "looks.png"))
    assert (read == pictures["looks"]).all()


def test_tensorboard_has_figures_pictures_page_and_embeddings(found, pictures, tmp_path):
    page = "# Report\n\n![a picture](pictures/looks.png)\n\n| a | b |\n"
    embeddings = embeddings_of(found.scene)
    write_tensorboard(tmp_path, scalars_of(found.report), pictures, page, embeddings)
    events = EventAccumulator(str(tmp_path), {"images": 0}).Reload()
    (figure,) = events.Scalars("trials/eval_test")
    assert figure.value == pytest.approx(found.report.rows[0].sets["eval_test.json"].mean)
    assert {tag.removeprefix("pictures/") for tag in events.Tags()["images"]} == set(pictures)
    (text,) = events.Tensors("text/report/text_summary")
    shown = text.tensor_proto.string_val[0].decode()
    assert "# Report" in shown
    assert "| a | b |" in shown
    assert "looks.png" not in shown

    config = ProjectorConfig()
    from google.protobuf import text_format

    text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), config)
    (info,) = config.embeddings
    vectors = np.loadtxt(tmp_path / info.tensor_path, delimiter="\t")
    rows = sample_frames(found.scene)
    assert vectors.shape == (len(rows) + 3, 3)
    assert np.allclose(vectors[-3:], found.scene.text_emb, atol=1e-4)
    lines = (tmp_path / info.metadata_path).read_text().splitlines()
    assert lines[0] == "word\tkind"
    assert lines[-3:] == ["blue\tword", "green\tword", "red\tword"]
    assert lines[1] == f"{found.scene.labels[rows[0]]}\tpicture"
    sprites = np.asarray(Image.open(tmp_path / info.sprite.image_path))
    side = info.sprite.single_image_dim[0]
    across = int(np.ceil(len(vectors) ** 0.5))
    assert sprites.shape == (across * side, across * side, 3)
    assert sprites[side // 2, side // 2].argmax() == 2  # the first is blue


def test_an_embedding_of_one_column_has_no_heading(tmp_path):
    one = Embedding(np.eye(3), {"word": ["a", "b", "c"]})
    write_tensorboard(tmp_path, {}, {}, "", {"words": one})
    assert (tmp_path / "00000/words/metadata.tsv").read_text().split() == ["a", "b", "c"]
    assert not (tmp_path / "00000/words/sprite.png").exists()


def test_sprites_become_small_enough(monkeypatch):
    sprites = np.zeros((10, 16, 16, 3), np.uint8)
    assert fit_sprites(sprites) is sprites
    monkeypatch.setattr(board, "_MAX_SIDE", 40)
    assert fit_sprites(sprites).shape == (10, 10, 10, 3)


def test_a_long_word_is_written_smaller():
    for word in ("cat", "caterpillar", "hippopotamuses and elephants"):
        tile = board._word_tile(word)
        assert tile.shape == (48, 48, 3)
        assert (tile < 128).any()
    edges = board._word_tile("caterpillar")[:, [0, -1]]
    assert (edges > 200).all()
