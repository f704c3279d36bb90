"""From a corpus in SAYCam-S's layout to a table of the words that are known."""

import json

import pytest

from firsthand.cli import main as cli
from firsthand.cli import settings
from firsthand.commands import ground, ground_eval
from firsthand.grounding.train import GroundConfig
from tests.grounding.test_train import WORDS, make_corpus
from tests.helpers.trials import make_trials, write_trials

QUICK = (
    "variants=[natural]",
    "jobs=1",
    "ground.model.vision.widths=[16,32]",
    "ground.model.vision.size=32",
    "ground.pairs.size=32",
    "ground.training.steps=20",
    "ground.training.warmup=2",
    "ground.training.batch_size=8",
    "ground.training.learning_rate=0.01",
    "ground.training.validate_every=10",
    "ground.training.workers=0",
)


def test_words_are_learned_and_measured(tmp_path, monkeypatch):
    corpus = make_corpus(tmp_path / "corpus")
    names = {
        word: [f"train_5fps/val_{i:03}_00.jpg" for i in range(n, 12, 4)]
        for n, word in enumerate(WORDS)
    }
    write_trials(corpus / "eval_test.json", make_trials(names, each=5))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["ground", f"root={corpus}", "run=learned", *QUICK]) == 0
    words = [
        "ground-eval",
        "model=learned/natural/seed_0",
        f"root={corpus}",
        "run=measured",
        "permutations=10",
    ]
    assert cli.main(words) == 0
    results = json.loads((tmp_path / "measured" / "results.json").read_text())
    assert results["sets"]["eval_test.json"]["trials"] == 20
    assert results["rows"][0]["sets"]["eval_test.json"]["mean"] > 0.6
    page = (tmp_path / "measured" / "report.md").read_text()
    assert "| yellow |" in page


def test_the_published_configuration_is_the_models_default():
    """`cvcl` says what is the default besides: of the model, of pictures and their changes."""
    chosen = settings.load("ground", ground.SCHEMA, ["ground=cvcl", "root=x"]).config.ground
    default = GroundConfig()
    assert chosen.model.utterance == default.model.utterance
    assert chosen.pairs == default.pairs
    assert chosen.model.vision.statistics == "drifting"
    assert (chosen.model.width, chosen.model.temperature) == (512, 0.07)
    assert (chosen.training.batch_size, chosen.training.weight_decay) == (8, 0.1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ground", "root=nowhere"], "nowhere"),
        (["ground-eval", "model=nowhere", "root=x"], "no word-grounding model at nowhere"),
    ],
)
def test_what_is_not_there_is_said_in_a_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) != 0
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("ground.model.vision.widths=[8,8,8,8,8,8]", "ground.model: "),  # no pixel is left
        ("ground.model.utterance.dropout=2", "ground.model: "),
        ("ground.model.width=-1", "ground.model: "),
        ("ground.model.vision.weights=nowhere", "ground.model: vision.weights"),
        ("ground.pairs.size=31", "ground: pairs.size=31 is not model.vision.size=32"),
        ("seeds=[1,1]", "seeds must name at least one"),
        ("variants=[]", "variants must name at least one"),
    ],
)
def test_a_setting_that_cannot_be_is_told_before_anything_is_made(
    word, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    transformer = "ground.model.utterance.encoder=transformer"
    assert cli.main(["ground", "run=learned", *QUICK, transformer, word]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith(f"firsthand: {message}")
    assert not shown.out
    assert not list(tmp_path.iterdir())


def test_settings_of_measuring_are_read():
    words = ["model=a", "root=b", "called={cat: kitty}", "trials=[x.json,y.csv]"]
    config = settings.load("ground_eval", ground_eval.SCHEMA, words).config
    assert config.called == {"cat": "kitty"}
    assert config.trials == ("x.json", "y.csv")
