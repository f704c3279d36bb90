"""Words learned with the eyes of a robot policy, from the command line."""

import torch

from firsthand.cli import main as cli
from firsthand.grounding.model import GroundingModel
from tests.firsthand.commands.test_ground import QUICK
from tests.grounding.test_train import make_corpus
from tests.policy.conftest import make, tiny


def test_words_are_learned_with_a_policys_eyes(tmp_path, monkeypatch):
    """Its own in `natural`, others of their kind in `random`; both stay as they are."""
    monkeypatch.chdir(tmp_path)
    policy = make(tiny())
    policy.save_pretrained(tmp_path / "watched" / "checkpoints" / "best" / "policy")
    eyes = ("encoder=policy", "weights=watched", "frozen=true")
    words = [f"root={make_corpus(tmp_path / 'corpus')}", "run=learned", *QUICK]
    words += [f"ground.model.vision.{word}" for word in eyes] + ["variants=[natural,random]"]
    assert cli.main(["ground", *words]) == 0
    for variant, same in (("natural", True), ("random", False)):
        place = tmp_path / "learned" / variant / "seed_0" / "checkpoints" / "last" / "policy"
        model = GroundingModel.from_pretrained(place)
        assert model.config.vision.images == policy.config.images
        found, wanted = model.vision.state_dict(), policy.images.state_dict()
        assert found.keys() == {f"encoder.{name}" for name in wanted}
        assert all(torch.equal(found[f"encoder.{n}"], v) for n, v in wanted.items()) == same


def test_a_policy_that_is_not_there_is_named_in_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["root=x", "ground.model.vision.encoder=policy", "ground.model.vision.weights=nowhere"]
    assert cli.main(["ground", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no checkpoint at nowhere" in line
