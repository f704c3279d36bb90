"""What a seed gives does not depend on how many processes make it."""

from pathlib import Path

import pytest
import torch

from firsthand.envs.tasks.tasks import TASKS
from firsthand.episodes.storage.merge import EpisodeFile
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics

COUNTS = {"tasks": 2 * len(TASKS), "chains": 4}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_recordings_do_not_depend_on_the_number_of_workers(firsthand, tmp_path):
    for workers in (1, 2):
        firsthand("record", "episodes=17", f"workers={workers}", "seed=5", f"run={workers}")
    one, two = (tmp_path / str(workers) / "episodes.hdf5" for workers in (1, 2))
    with EpisodeFile(one) as file:
        assert len(file) == 17
    assert one.read_bytes() == two.read_bytes()


@pytest.fixture
def actors(tmp_path: Path) -> dict[str, str]:
    torch.manual_seed(0)
    Policy(PolicyConfig(), Statistics(frames=1)).save_pretrained(tmp_path / "random")
    return {"expert": "actor=expert", "random": "checkpoint=random"}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["expert", "random"])
def test_results_do_not_depend_on_the_number_of_workers(firsthand, actors, name, tmp_path):
    few = (
        "trials=2",
        "chains=4",
        "steps=120",
        "seed=3",
        "cameras={rgb_static: 96, rgb_gripper: 64}",
    )
    for workers in (1, 2):
        firsthand("evaluate", actors[name], *few, f"workers={workers}", f"run={workers}")
    one, two = tmp_path / "1", tmp_path / "2"
    for kind, count in COUNTS.items():
        assert (one / f"{kind}.jsonl").read_bytes() == (two / f"{kind}.jsonl").read_bytes()
        assert len((one / f"{kind}.jsonl").read_text().splitlines()) == count
    films = [sorted(p.relative_to(d) for p in d.rglob("*.mp4")) for d in (one, two)]
    assert films[0] == films[1]
    assert films[0]
    assert all((one / film).read_bytes() == (two / film).read_bytes() for film in films[0])
