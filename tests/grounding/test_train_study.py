"""Training a study: each model differs in what its variant is called after, and in nothing else."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from firsthand.cli.schema import flatten
from firsthand.grounding.study import VARIANTS, Study
from firsthand.grounding.train import ground
from firsthand.grounding.train_study import train_study, varied
from tests.grounding.test_train import CONFIG, make_corpus

QUICK = replace(CONFIG, training=replace(CONFIG.training, steps=8, threads=1))


@pytest.mark.parametrize(
    ("variant", "changed"),
    [
        ("natural", {}),
        ("shuffled", {"learned": "train_shuffled.json"}),
        ("random", {"model.vision.frozen": True}),
    ],
)
def test_a_variant_changes_one_thing(variant, changed):
    before, after = flatten(asdict(CONFIG)), flatten(asdict(varied(CONFIG, variant, 3)))
    found = {name: value for name, value in after.items() if value != before[name]}
    assert found == changed | {"training.seed": 3}


def test_models_that_learn_side_by_side_are_those_that_learn_alone(tmp_path: Path):
    root = make_corpus(tmp_path / "corpus")
    (root / "train_shuffled.json").write_text((root / "train.json").read_text())
    study = Study.of(root, VARIANTS, [0])
    results = train_study(study, QUICK, tmp_path / "study", jobs=2, resume=False)
    assert [member.path for member in Study.read(tmp_path / "study").members] == [
        f"{variant}/seed_0" for variant in VARIANTS
    ]
    assert set(results) == set(study.members)
    alone = {
        variant: ground(varied(QUICK, variant, 0), root, tmp_path / variant) for variant in VARIANTS
    }
    weights = {
        member.variant: (result.model / "model.safetensors").read_bytes()
        for member, result in results.items()
    }
    for variant, result in alone.items():
        assert (result.model / "model.safetensors").read_bytes() == weights[variant]
    assert weights["natural"] == weights["shuffled"] != weights["random"]  # not shuffled here


def test_models_side_by_side_have_a_thread_each_however_many_cores(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)))
    study = Study.of(make_corpus(tmp_path / "corpus"), ["natural", "random"], [0])
    free = replace(QUICK, training=replace(QUICK.training, steps=2, threads=0))
    train_study(study, free, tmp_path / "study", jobs=2, resume=False)
    for member in study.members:
        said = tmp_path / "study" / member.path / "checkpoints/last/training.json"
        assert json.loads(said.read_text())["config"]["threads"] == 1


def test_what_has_learned_already_does_not_learn_again(tmp_path: Path):
    root = make_corpus(tmp_path / "corpus")
    study = Study.of(root, ["natural"], [0])
    train_study(study, QUICK, tmp_path, jobs=1, resume=False)
    before = (tmp_path / "natural/seed_0/metrics.jsonl").read_bytes()
    more = Study.of(root, ["natural"], [0, 1])
    train_study(more, QUICK, tmp_path, jobs=1, resume=True)
    assert (tmp_path / "natural/seed_0/metrics.jsonl").read_bytes() == before
    assert (tmp_path / "natural/seed_1/checkpoints/last/policy").is_dir()


def test_weighted_models_are_judged_by_two_others_first(tmp_path: Path):
    root = make_corpus(tmp_path / "corpus")
    content = json.loads((root / "train.json").read_text())
    for i, row in enumerate(content["data"]):
        row["video_filename"] = f"{i % 4}.mp4"
    (root / "train.json").write_text(json.dumps(content))
    study = Study.of(root, ["weighted"], [0])
    results = train_study(study, QUICK, tmp_path, jobs=1, resume=False)
    folder = tmp_path / "weighted/seed_0"
    assert len(json.loads((folder / "weights.json").read_text())) == len(content["data"])
    assert results[study.members[0]].model.samefile(folder / "checkpoints/last/policy")
