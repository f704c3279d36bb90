"""What torchrun or a cluster says in the environment."""

import pytest
import torch

from firsthand.cli.main import main
from firsthand.common import ranks
from firsthand.common.errors import UserError
from firsthand.training.distributed import init_distributed


@pytest.mark.parametrize("value", ["", "1", " 1 "])
def test_one_process_is_one_however_it_is_said(monkeypatch, value):
    monkeypatch.setenv("WORLD_SIZE", value)
    monkeypatch.setenv("RANK", "")
    assert (ranks.world_size(), ranks.rank(), ranks.local_rank()) == (1, 0, 0)
    ranks.check_alone("evaluate", "")
    with init_distributed() as team:
        assert (team.rank, team.size) == (0, 1)


@pytest.mark.parametrize("value", ["two", "-1", "1.5"])
def test_a_size_that_is_no_number_is_refused(monkeypatch, value):
    monkeypatch.setenv("WORLD_SIZE", value)
    with pytest.raises(UserError, match=f"WORLD_SIZE={value} in the environment is no number"):
        ranks.world_size()


@pytest.mark.parametrize("rank", ["0", "1"])
@pytest.mark.parametrize(
    "words",
    ["evaluate actor=expert", "record episodes=1", "convert source=videos root=. out=out"],
)
def test_commands_of_one_process_refuse_to_be_one_of_several(
    monkeypatch, capsys, tmp_path, words, rank
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", rank)
    assert main([*words.split(), "run=here"]) == 1
    said = capsys.readouterr().err
    assert f"is one process, and WORLD_SIZE=2, RANK={rank} in the environment" in said
    assert "workers=N" in said
    assert not list(tmp_path.iterdir())


def test_training_without_an_address_of_the_others_is_told(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    threads = torch.get_num_threads()
    with (
        pytest.raises(UserError, match="MASTER_ADDR is not: start several"),
        init_distributed(threads + 1),
    ):
        pass
    assert torch.get_num_threads() == threads
