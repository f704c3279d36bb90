"""`firsthand probe`, from a saved policy and a file of episodes to a table and its figures."""

import json

import pytest
import torch

from firsthand.cli import main as cli
from firsthand.episodes.storage.writer import EpisodeWriter
from firsthand.policy.policy import Policy
from tests.policy.conftest import SEEN, tiny, tiny_gr1
from tests.training.measures.conftest import tabletop


@pytest.mark.parametrize("config", [tiny(), tiny_gr1()], ids=["small", "gr1"])
def test_a_policy_is_read_beside_random_ones(config, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with EpisodeWriter(tmp_path / "a.hdf5") as writer:
        for index in range(100):
            writer.add(tabletop(index, length=1))
    torch.manual_seed(1)
    Policy(config, SEEN).save_pretrained(tmp_path / "policy")
    words = ["probe", "checkpoint=policy", "corpus.files=[a.hdf5]", "run=read"]
    assert cli.main([*words, "random_seeds=[1,2]"]) == 0
    record = json.loads((tmp_path / "read" / "probe.json").read_text())
    mine, same, other = record["read_outs"].values()
    assert [*record["read_outs"]] == ["checkpoint", "random 1", "random 2"]
    assert [one["thing"] for one in mine] == ["blue", "red", "named"]
    assert mine == same  # the policy itself was drawn by this seed
    assert mine != other
    assert all(one["frames"] == one["recordings"] == 100 for one in mine)
    out = capsys.readouterr().out
    assert "the mean" in out
    assert f"{mine[2]['error']['action_query']:.1f}" in out


def test_recordings_that_say_nothing_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with EpisodeWriter(tmp_path / "a.hdf5") as writer:
        writer.add(tabletop(0, known=False))
    Policy(tiny(), SEEN).save_pretrained(tmp_path / "policy")
    assert cli.main(["probe", "checkpoint=policy", "corpus.files=[a.hdf5]"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "a.hdf5: no recording says where anything is" in line
