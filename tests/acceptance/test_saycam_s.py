"""Whoever has SAYCam-S trains and evaluates with no other option than where it lies."""

import json

import pytest

from tests.helpers.saycam_s import COLOURS, write_saycam_s

# So that it takes a minute: everything else is as it is by default.
SHORT = (
    "variants=[natural,shuffled]",
    "ground.training.steps=60",
    "ground.training.warmup=10",
    "ground.training.batch_size=16",
    "ground.training.validate_every=30",
    "ground.training.checkpoint_every=30",
)
SETS = {
    "eval_test.json": 4,
    "eval_test_9_foils.json": 5,
    "eval_test_21_foils.json": 6,
    "eval_filtered_test.json": 4,
    "eval_manual_filtered_test.json": 4,
    "eval_object_categories.json": 4,
}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_corpus_in_the_official_layout_needs_no_option_but_its_root(firsthand):
    root = write_saycam_s(firsthand.folder / "SAYCam-S")
    firsthand("ground", f"root={root}", "run=learned", *SHORT)
    firsthand("ground-eval", "model=learned", f"root={root}", "run=measured")
    report = json.loads((firsthand.folder / "measured" / "results.json").read_text())
    assert {name: round(1 / facts["chance"]) for name, facts in report["sets"].items()} == SETS
    rows = {row["label"]: row for row in report["rows"]}
    found = {label: row["sets"]["eval_test.json"]["mean"] for label, row in rows.items()}
    assert found["CVCL"] > 0.6
    assert found["CVCL"] > found["shuffled utterances"] + 0.2
    assert {"linear probe, 1 % of labels", "linear probe, 100 % of labels"} <= rows.keys()
    asked = rows["CVCL"]["by_word"]["eval_test.json"]
    assert asked.keys() == COLOURS.keys()  # the cat too, which the child hears called kitty
    assert asked["cat"]["mean"] > 0.5
    page = (firsthand.folder / "measured" / "report.md").read_text()
    assert "on white" in page
    assert list((firsthand.folder / "measured" / "pictures").glob("*.png"))
