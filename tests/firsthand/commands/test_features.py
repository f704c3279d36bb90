"""`firsthand features`, from a policy and a file of episodes to files beside it."""

import torch

from firsthand.cli import main as cli
from firsthand.episodes.storage.writer import EpisodeWriter
from firsthand.policy.frozen_features import encoder_identity
from firsthand.policy.policy import Policy
from tests.episodes.conftest import record
from tests.policy.conftest import SEEN, tiny_gr1


def test_features_are_stored_once_and_named_by_their_encoder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with EpisodeWriter(tmp_path / "a.h5") as writer:
        writer.add(record(length=3))
    torch.manual_seed(0)
    policy = Policy(tiny_gr1(), SEEN)
    policy.save_pretrained(tmp_path / "policy")
    words = ["features", "recordings=a.h5", "pretrained=policy", "workers=0"]
    assert cli.main([*words, "run=one"]) == 0
    identity = encoder_identity(policy.config, policy.images)
    (made,) = (tmp_path / "features" / identity).iterdir()
    written = made.stat().st_mtime_ns
    assert cli.main([*words, "run=two"]) == 0
    assert made.stat().st_mtime_ns == written
    capsys.readouterr()
    assert cli.main([*words, "kind=float32", "run=three"]) == 1
    assert "remove it to make others" in capsys.readouterr().err
