"""What is measured of a model that knows colours."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from firsthand.common.errors import UserError
from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.embeddings import EncoderCache, read_images
from firsthand.grounding.evaluation.forced_choice import Choices
from firsthand.grounding.evaluation.linear_probe import ProbeConfig, train_probe
from firsthand.grounding.evaluation.metrics import measure
from firsthand.grounding.evaluation.test_sets import TITLES, find_test_sets, labelled_images
from firsthand.grounding.evaluation.trials import locate, read_trials
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.vocabulary import SPECIAL, Vocabulary
from tests.helpers.colours import make_model, make_root

QUICK = GroundEvalConfig(permutations=20, layer_permutations=5)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_root(tmp_path_factory.mktemp("colours"))


@pytest.fixture
def model() -> GroundingModel:
    return make_model()


def found(model, root, config=QUICK, **options):
    return measure(model, find_test_sets(root, config), labelled_images(root), config, **options)


@pytest.mark.parametrize("similarity", ["flat", "mean", "max"])
def test_a_model_that_knows_colours_is_right(root, similarity):
    config = replace(QUICK, trials=("eval_test.json", "pairs.csv"))
    figures = found(make_model(similarity), root, config)
    assert list(figures.choices) == ["eval_test.json", "pairs.csv"]
    for name, chance in (("eval_test.json", 0.25), ("pairs.csv", 0.5)):
        chosen = figures.choices[name]
        assert chosen.accuracy == 1.0
        assert chosen.chance == chance
        assert figures.unknown[name] == ("grey",)
        assert len(chosen.credit) == 15
        assert figures.retrieval[name].words.first == 1.0
        precisions = {w: f.average_precision for w, f in figures.retrieval[name].frames.items()}
        assert precisions == {"blue": 1.0, "green": 1.0, "red": 1.0}
    agreement = figures.agreement["eval_test.json"]
    assert agreement is not None
    assert agreement.p <= 1


def test_test_sets_are_found_by_their_names(root, tmp_path):
    sets = find_test_sets(root, QUICK)
    assert list(sets) == [name for name in TITLES if (root / name).exists()]
    assert [one.shrunk for one in sets.values()] == [False, False, True]
    assert sets["eval_test.json"].labels["eval/test/red/0.png"] == "red"
    with pytest.raises(UserError, match=r"holds none of eval_test\.json, .*trials=\[FILE"):
        find_test_sets(tmp_path, QUICK)
    with pytest.raises(UserError, match=r"none\.json"):
        find_test_sets(root, replace(QUICK, trials=("none.json",)))


def test_a_named_file_is_looked_for_where_one_is(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_trials.json").write_bytes((root / "eval_test.json").read_bytes())
    (mine, _) = find_test_sets(
        root, replace(QUICK, trials=("my_trials.json", "pairs.csv"))
    ).values()
    assert mine.trials == find_test_sets(root, QUICK)["eval_test.json"].trials


def test_other_files_beside_labelled_pictures_are_none(tmp_path):
    for name in ("red/a.JPG", "red/.DS_Store", "blue/b.txt"):
        (tmp_path / "eval" / "dev" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "eval" / "dev" / name).touch()
    assert labelled_images(tmp_path) == {"red": [tmp_path / "eval" / "dev" / "red" / "a.JPG"]}


def test_pictures_shown_against_more_foils_are_not_counted_twice(model, root):
    figures = found(model, root)
    assert set(figures.choices) == {
        "eval_test.json", "eval_test_9_foils.json", "eval_object_categories.json",
    }  # fmt: skip
    assert set(figures.retrieval) == {"eval_test.json", "eval_object_categories.json"}
    alone = found(model, root, replace(QUICK, trials=("eval_test_9_foils.json",)))
    assert set(alone.retrieval) == {"eval_test_9_foils.json"}


def test_each_picture_is_looked_at_once(model, root, monkeypatch):
    looked = []
    plain = model.vision.forward_features
    monkeypatch.setattr(
        model.vision, "forward_features", lambda x: looked.append(len(x)) or plain(x)
    )
    sets = find_test_sets(root, QUICK)
    found(model, root)
    white = set(sets["eval_object_categories.json"].with_words(model.vocabulary.words).paths)
    frames = {
        image
        for name in ("eval_test.json", "eval_test_9_foils.json")
        for image in sets[name].with_words(model.vocabulary.words).paths
    }
    assert sum(looked) == len(white) + len(frames) + 40  # as many are labelled


def test_a_category_may_be_called_otherwise(model, root):
    """Asked for by the other name if that is the more frequent one, or the only one known."""
    config = replace(QUICK, called={"green": "red", "red": "green", "grey": "blue"})
    figures = found(model, root, config)
    assert figures.called == {"blue": "blue", "green": "red", "grey": "blue", "red": "red"}
    assert figures.unknown["eval_test.json"] == ()
    by_word = figures.choices["eval_test.json"].by_word
    assert by_word["red"] == by_word["blue"] == 1.0
    assert by_word["green"] < 1.0
    assert by_word["grey"] < 1.0


def test_labels_are_worth_something(model, root):
    """What the model has never heard of is nothing that a probe is asked."""
    figures = found(model, root)
    assert {share: probed.labels for share, probed in figures.probes.items()} == {
        0.01: 4, 0.1: 4, 1.0: 40,
    }  # fmt: skip
    assert set(figures.probes[0.1].choices) == {"eval_test.json", "eval_test_9_foils.json"}
    assert set(figures.probes[1.0].choices) == set(figures.choices)
    whole = figures.probes[1.0].choices
    assert whole["eval_test.json"].words == figures.choices["eval_test.json"].words
    assert whole["eval_test.json"] == chosen_by_probe(model, root)
    white = whole["eval_object_categories.json"]
    assert sorted(white.words) == sorted(figures.choices["eval_object_categories.json"].words)


def chosen_by_probe(model: GroundingModel, root: Path) -> Choices:
    """The plain way: one probe, one trial after the other."""
    labelled = labelled_images(root)
    eyes = EncoderCache(model, [], QUICK)
    names = [name for name, paths in labelled.items() for _ in paths]
    paths = [path for paths in labelled.values() for path in paths]
    probe = train_probe(eyes.encode(paths).features, names, ProbeConfig())
    words, credit = [], []
    for trial in read_trials(root / "eval_test.json"):
        if trial.word != "grey":
            numbers = probe.classify(eyes.encode(locate(root, trial)).features)
            credit.append(float(numbers[:, probe.classes.index(trial.word)].argmax() == 0))
            words.append(trial.word)
    return Choices(tuple(words), tuple(credit), 0.25)


def test_layers_are_compared_with_words(model, root):
    figures = found(model, root)
    assert figures.stages == ("block 1", "block 2", "features", "projection")
    assert "CKA" in figures.layers
    for scores in figures.layers.values():
        assert scores.scores.shape == (4, 1)
        assert scores.best.best.score == pytest.approx(float(scores.scores.max()))
    assert not found(model, root, layers=False).layers


def test_what_is_shown_in_pictures_is_what_was_measured(model, root):
    scene = found(model, root).scene
    assert scene is not None
    assert scene.words == ("blue", "green", "red")
    assert scene.similarity.shape == (len(scene.paths), 3)
    assert np.allclose(scene.similarity, scene.image_emb @ scene.text_emb.t(), atol=1e-6)
    right = [scene.words[int(i)] for i in scene.similarity.argmax(dim=1)]
    assert right == list(scene.labels)
    reds = scene.image_emb[torch.tensor([what == "red" for what in scene.labels])]
    assert torch.allclose(scene.means[2], reds.mean(dim=0))


def test_a_model_that_sees_nothing_is_measured_too(model, root):
    with torch.no_grad():
        model.project.weight.zero_()
        model.project.bias.fill_(1)
    figures = found(model, root)
    assert figures.choices["eval_test.json"].accuracy == pytest.approx(0.25)
    assert figures.agreement["eval_test.json"] is None


def test_briefly_is_forced_choice_alone(model, root):
    brief, whole = found(model, root, accuracy_only=True), found(model, root)
    assert brief.choices == whole.choices
    assert not brief.probes
    assert not brief.retrieval
    assert brief.scene is None


def test_pictures_are_resized_and_batched(model, root, monkeypatch):
    paths = sorted(root.glob("eval/test/*/*.png"))
    together = EncoderCache(model, ["red"], QUICK).encode(paths)
    monkeypatch.setattr("firsthand.grounding.evaluation.embeddings.BATCH", 3)
    done = []
    apart = EncoderCache(model, ["red"], QUICK).encode(
        paths, progress=lambda *told: done.append(told)
    )
    assert torch.allclose(apart.vectors, together.vectors, atol=1e-6)
    assert torch.allclose(together.vectors.norm(dim=1), torch.ones(16))
    assert done[-1] == (16, 16)
    assert len(done) == 6


def test_objects_on_white_are_shown_half_as_large(root):
    path = root / "eval" / "test" / "red" / "0.png"
    shown = read_images([path], 16, True)[0]
    assert (shown[:, :4] == 255).all()
    assert (shown[:, :, 12:] == 255).all()
    assert (shown[1, 4:12, 4:12] < 60).all()
    assert torch.equal(shown[:, 4:12, 4:12], read_images([path], 8, False)[0])


def test_what_cannot_be_measured_is_named(model, root, tmp_path):
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"x\.png: is no readable picture"):
        read_images([tmp_path / "x.png"], 16, False)
    model.vocabulary = Vocabulary((*SPECIAL, "a", "b", "c"))
    with pytest.raises(UserError, match="the model knows none of the words blue, green, grey, red"):
        found(model, root)
    model.vocabulary = None
    with pytest.raises(UserError, match="the model has no vocabulary"):
        found(model, root)
