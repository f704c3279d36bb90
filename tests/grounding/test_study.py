"""The record of a study: what is written and read, and which models are measured together."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from firsthand.common.errors import UserError
from firsthand.grounding.study import STUDY, Study, read_studies
from tests.grounding.test_train import make_corpus
from tests.helpers.colours import make_model


@pytest.fixture
def run(tmp_path):
    members = [
        {"variant": variant, "seed": seed, "path": f"{variant}/seed_{seed}"}
        for variant in ("natural", "other", "shuffled")
        for seed in (0, 1)
    ]
    for member in members:
        for kind in ("last", "best"):
            make_model().save_pretrained(
                tmp_path / "run" / member["path"] / "checkpoints" / kind / "policy"
            )
    table = {"root": "home", "corpus": {"aligned": 0.45}, "members": members}
    (tmp_path / "run" / "study.json").write_text(json.dumps(table))
    return tmp_path / "run"


def test_a_run_says_what_it_holds(run):
    (study,) = read_studies([str(run)], "last")
    assert (str(study.root), study.alignment) == ("home", 0.45)
    assert study.variants == ["shuffled", "natural", "other"]
    assert study.main == "natural"
    assert asdict(study.members[1]) == {
        "variant": "natural",
        "seed": 1,
        "path": str(run / "natural/seed_1/checkpoints/last/policy"),
    }
    (best,) = read_studies([str(run)], "best")
    assert best.members[0].path.endswith("best/policy")


def test_single_models_are_seeds_of_one_study(run, tmp_path):
    saved = tmp_path / "saved"
    make_model().save_pretrained(saved)
    studies = read_studies([str(saved), str(run), str(run / "natural" / "seed_0")], "last")
    assert [study.name for study in studies][0] == str(run)
    alone = studies[1]
    assert [(member.variant, member.seed) for member in alone.members] == [
        ("natural", 0),
        ("natural", 1),
    ]
    assert alone.members[0].path == str(saved)
    assert (alone.root, alone.alignment) == (None, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"members": []}, "holds no list of models under 'members'"),
        ({"members": [{"variant": "natural", "seed": "0", "path": "x"}]}, "model 0 has no variant"),
        ({"members": [{"variant": "natural", "seed": 0, "path": "../x"}]}, "does not name a file"),
        ({"members": [{"variant": "natural", "seed": 0, "path": "x"}]}, "no word-grounding model"),
        ({"root": 3}, "root is 3, no text"),
    ],
)
def test_what_is_no_study_is_said(run, change, message):
    path = run / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match=message):
        read_studies([str(run)], "last")


def test_a_run_that_was_stopped_before_it_learned_says_how_to_go_on(tmp_path: Path) -> None:
    run = tmp_path / "words"
    run.mkdir()
    (run / "config.yaml").touch()
    with pytest.raises(UserError, match=r"words: has not learned .* `firsthand ground resume=true"):
        read_studies([str(run)], "best")


def test_a_study_says_what_its_corpus_is(tmp_path: Path):
    root = make_corpus(tmp_path / "corpus")
    (root / "home.json").write_text(json.dumps({"alignment": 0.3}))
    Study.of(root, ["natural"], [2]).write(tmp_path)
    study = Study.read(tmp_path)
    assert study.root == root.resolve()
    assert study.corpus == {"alignment": 0.3}
    assert [asdict(member) for member in study.members] == [
        {"variant": "natural", "seed": 2, "path": "natural/seed_2"}
    ]


@pytest.mark.parametrize(("variants", "seeds"), [((), (0,)), (("natural",), (0, 0))])
def test_none_is_no_study_and_none_comes_twice(variants, seeds, tmp_path: Path):
    with pytest.raises(UserError, match="none twice"):
        Study.of(tmp_path, variants, seeds)


def test_a_damaged_study_is_named(tmp_path: Path):
    (tmp_path / STUDY).write_text('{"root": "x"}')
    with pytest.raises(UserError, match=r"study\.json"):
        Study.read(tmp_path)
