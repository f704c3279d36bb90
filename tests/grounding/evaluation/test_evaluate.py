"""A study of colours measured and reported."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from firsthand.common.errors import UserError
from firsthand.grounding.accuracy import AccuracySummary
from firsthand.grounding.evaluation import evaluate as module
from firsthand.grounding.evaluation.config import GroundEvalConfig
from firsthand.grounding.evaluation.evaluate import Evaluation, evaluate
from firsthand.grounding.evaluation.forced_choice import Choices
from firsthand.grounding.report.markdown import as_markdown
from firsthand.grounding.report.publish import publish
from firsthand.grounding.report.report import TableRow, spearman
from firsthand.grounding.study import Member, Study
from tests.helpers.colours import make_model, make_root

QUICK = GroundEvalConfig(permutations=20, layer_permutations=5)


def load(name: str):
    """Of three seeds that know colours one takes blue for grey; controls see nothing."""
    model = make_model()
    with torch.no_grad():
        if name == "blind":
            model.project.weight.zero_()
            model.project.bias.fill_(1)
        if name == "know 1":
            model.utterance.embedding.weight[6] = -1.0
    return model


def study(root: Path, alignment: float | None = 0.45, name: str = "run") -> Study:
    seeing = [Member("natural", seed, f"know {seed}") for seed in range(3)]
    members = (*seeing, Member("shuffled", 0, "blind"))
    return Study(root, {"aligned": alignment}, members, name)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_root(tmp_path_factory.mktemp("colours"))


@pytest.fixture(scope="module")
def found(root) -> Evaluation:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_model", load)
        return evaluate([study(root), study(root, 0.9, "other")], QUICK)


def test_means_stand_beside_their_controls(found):
    rows = {row.label: row for row in found.report.rows}
    assert list(rows) == [
        "shuffled utterances", "CVCL", "linear probe, 1 % of labels",
        "linear probe, 10 % of labels", "linear probe, 100 % of labels",
    ]  # fmt: skip
    cvcl, blind = (rows[name].sets["eval_test.json"] for name in ("CVCL", "shuffled utterances"))
    assert cvcl.models == 3
    assert cvcl.error is not None
    assert 2 / 3 < cvcl.mean < 1
    assert blind.mean == pytest.approx(0.25)
    assert (blind.error, blind.models) == (None, 1)
    assert 0 < blind.low < 0.25 < blind.high < 0.6
    by_word = rows["CVCL"].by_word["eval_test.json"]
    assert by_word["red"] == AccuracySummary(1.0, 0.0, 1.0, 1.0, 3)
    assert by_word["blue"].mean == pytest.approx(2 / 3)
    facts = found.report.sets["eval_test.json"]
    assert (facts.trials, facts.unknown, facts.chance) == (15, ("grey",), 0.25)
    assert [row.label for row in found.report.rows if row.compared] == ["CVCL"]
    assert found.model == "know 0"


def test_natural_examples_are_counted(found):
    rate = found.report.exchange
    assert rate is not None
    assert rate.by_word == {"red": 2, "green": 1, "blue": 1}
    assert rate.said == 4
    assert [labels for labels, _ in rate.probes] == [4, 4, 40]


def test_concepts_and_retrieval_are_means_over_seeds(found):
    report = found.report
    assert set(report.concepts["natural"]) == {"eval_test.json", "eval_object_categories.json"}
    assert report.concepts["shuffled"] == {}
    found_again = report.retrieval["natural"]["eval_test.json"]
    assert found_again.by_word["red"].mean == 1.0
    assert found_again.by_word["blue"].mean < 1.0
    assert found_again.own_word.models == 3
    assert report.layers is not None
    assert report.layers.seen == ("block 1", "block 2", "features", "projection")
    assert all(table.scores.shape == (4, 1) for table in report.layers.measures.values())


def test_accuracy_stands_against_alignment(found):
    curve = found.report.curve
    assert [(point.study, point.alignment) for point in curve] == [("run", 0.45), ("other", 0.9)]
    assert set(curve[1].accuracy) == {"shuffled", "natural"}
    assert curve[0].accuracy["natural"] == next(r for r in found.report.rows if r.compared).sets


def test_the_report_is_plain_and_the_page_whole(found):
    plain = json.loads(json.dumps(found.report.as_json(), allow_nan=False))
    assert plain["rows"][1]["sets"]["eval_test.json"]["models"] == 3
    page = as_markdown(found.report, {"accuracy": "Bars.", "odd": "One more."})
    assert "| chance | 25.0 % | 25.0 % | 25.0 % |" in page
    assert "| **CVCL** | " in page
    assert "![Bars.](pictures/accuracy.png)" in page
    assert page.index("## More pictures") < page.index("![One more.](pictures/odd.png)")
    assert "one label is worth" in page
    assert "## Accuracy against alignment" in page
    tables = [block.splitlines() for block in page.split("\n\n") if block.startswith("|")]
    assert len(tables) > 6
    for table in tables:
        assert len({line.count("|") for line in table}) == 1


def test_everything_is_left_in_the_folder(root, found, tmp_path, monkeypatch):
    monkeypatch.setattr("firsthand.grounding.report.publish.load_model", load)
    page = publish(found, tmp_path)
    assert (tmp_path / "report.md").read_text() == page
    assert json.loads((tmp_path / "results.json").read_text())["seeds"] == 3
    named = [part.split(")")[0] for part in page.split("](")[1:]]
    assert "pictures/accuracy.png" in named
    assert all((tmp_path / name).is_file() for name in named)
    assert len(named) == len(list((tmp_path / "pictures").iterdir()))
    assert list((tmp_path / "tensorboard").glob("**/events*"))


def test_one_model_without_controls_is_enough(root, monkeypatch):
    monkeypatch.setattr(module, "load_model", load)
    alone = Study(root, {}, (Member("natural", 0, "know 0"),), "one")
    told = []
    config = replace(QUICK, trials=("pairs.csv",), shares=())
    report = evaluate([alone], config, lambda *what: told.append(what)).report
    assert report.curve == ()
    assert report.exchange is None
    assert told[0][0] == "CVCL, seed 0"
    page = as_markdown(report, {})
    assert "in brackets 95 % intervals" in page
    assert "linear probe" not in page


def test_categories_come_by_accuracy_and_equal_ones_by_name(found):
    report = found.report
    name, row = next(iter(report.sets)), next(row for row in report.rows if row.compared)
    table = as_markdown(report, {}).split("## By category")[1].split("\n\n")[2]
    words = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]]
    assert words == sorted(words, key=lambda word: (-row.by_word[name][word].mean, word))
    assert words


def test_a_corpus_must_be_known():
    with pytest.raises(UserError, match="does not say what it learned from: write root=CORPUS"):
        evaluate([Study(None, {}, (Member("natural", 0, "know 0"),), "x")], QUICK)


def test_ranks_are_correlated():
    assert spearman([1.0, 2.0, 3.0], [10.0, 20.0, 25.0]) == pytest.approx(1)
    assert spearman([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]) == pytest.approx(-1)
    assert spearman([1.0, 1.0, 2.0], [0.0, 0.0, 5.0]) == pytest.approx(1)
    assert spearman([1.0, 1.0], [0.0, 3.0]) == 0
    a, b = np.random.default_rng(0).normal(size=(2, 50)).round(1).tolist()
    assert spearman(a, b) == pytest.approx(spearmanr(a, b)[0])


def test_rows_hold_what_all_models_were_asked():
    one = Choices(("a", "b"), (1.0, 0.0), 0.5)
    row = TableRow.of("x", [{"s": one, "t": one}, {"s": one}])
    assert set(row.sets) == {"s"}
    assert row.sets["s"] == AccuracySummary(0.5, 0.0, 0.5, 0.5, 2)
    fewer = TableRow.of("x", [{"s": one}, {"s": Choices(("b",), (1.0,), 0.5)}])
    assert set(fewer.by_word["s"]) == {"b"}
