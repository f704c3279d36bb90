import os
from dataclasses import replace

import pytest
import torch

from firsthand.common.errors import UserError
from firsthand.training.checkpoint import Checkpoints, TrainState
from firsthand.training.config import TrainConfig
from firsthand.training.ema import EMA
from firsthand.training.optimizer import build_optimizer
from tests.helpers.tiny_policy import TinyPolicy, make_policy

CONFIG = TrainConfig(keep_last=2)


def make_state(policy=None, step=0):
    policy = policy or make_policy()
    return TrainState(policy, build_optimizer(policy, CONFIG), EMA(policy, 0.9), step=step)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_checkpoint_of_before_has_today_s_tags(tmp_path):
    """`best_by` and the metrics of before 0.2.0 begin with held_out/."""
    store = Checkpoints(tmp_path, CONFIG, {})
    state = make_state(step=3)
    state.best_loss, state.best_step, state.best_by = 0.5, 3, "val/loss"
    state.metrics = {"train/loss": 0.25, "val/loss": 0.5, "val/skill/rgb_static": 0.125}
    facts = store.save(state) / "training.json"
    facts.write_text(facts.read_text().replace('"val/', '"held_out/'))
    resumed = make_state()
    store.restore(resumed)
    assert (resumed.best_by, resumed.metrics) == (state.best_by, state.metrics)
    fresh = make_state()  # nothing was measured
    fresh.load_facts({**state.facts(), "best_by": None})
    assert fresh.best_by is None


def test_the_newest_and_the_best_are_kept(tmp_path):
    store = Checkpoints(tmp_path, CONFIG, {})
    for step in range(1, 7):
        state = make_state(step=step)
        state.best_step = 2 if step >= 2 else 1
        store.save(state)
    assert names(tmp_path) == ["000002", "000005", "000006", "best", "last"]
    assert os.readlink(tmp_path / "last") == "000006"
    assert os.readlink(tmp_path / "best") == "000002"


def test_others_may_read_all_of_a_checkpoint_if_the_umask_lets_them(tmp_path):
    before = os.umask(0o022)
    try:
        path = Checkpoints(tmp_path, CONFIG, {}).save(make_state(step=1))
    finally:
        os.umask(before)
    ours = [path / "training.safetensors", path / "training.json"]
    assert [file.stat().st_mode & 0o777 for file in ours] == [0o644, 0o644]


def test_what_a_killed_process_left_is_cleared_and_links_are_mended(tmp_path):
    store = Checkpoints(tmp_path, CONFIG, {})
    for step in (1, 2):
        store.save(make_state(step=step))
    (tmp_path / ".draft-000003").mkdir()
    (tmp_path / ".doomed-000000").mkdir()
    (tmp_path / ".draft-last").symlink_to("000001")
    os.replace(tmp_path / ".draft-last", tmp_path / "last")
    (tmp_path / ".draft-best").symlink_to("000002")
    store.repair(1)
    assert names(tmp_path) == ["000001", "000002", "best", "last"]
    assert os.readlink(tmp_path / "last") == "000002"
    assert os.readlink(tmp_path / "best") == "000001"


def test_a_failing_save_leaves_nothing_under_a_final_name(tmp_path):
    class Broken(TinyPolicy):
        def save_pretrained(self, directory):
            super().save_pretrained(directory)
            raise OSError("disk full")

    state = make_state(Broken(), step=3)
    before = {name: p.clone() for name, p in state.policy.named_parameters()}
    with pytest.raises(OSError, match="disk full"):
        Checkpoints(tmp_path, CONFIG, {}).save(state)
    assert names(tmp_path) == [".draft-000003"]
    assert all(torch.equal(before[n], p) for n, p in state.policy.named_parameters())


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    store = Checkpoints(tmp_path, CONFIG, {})
    store.save(make_state(step=1))
    with pytest.raises(UserError, match=r"weights/act.weight is \(21, 32\) in the checkpoint"):
        store.restore(make_state(TinyPolicy(chunk=2)))


def test_a_damaged_checkpoint_is_named(tmp_path):
    store = Checkpoints(tmp_path, CONFIG, {})
    path = store.save(make_state(step=1))
    (path / "training.safetensors").write_bytes(b"nonsense" * 4)
    with pytest.raises(UserError, match="000001 is not a readable checkpoint"):
        store.restore(make_state())


def test_other_conditions_are_refused(tmp_path):
    Checkpoints(tmp_path, CONFIG, {"processes": 1}).save(make_state(step=1))
    with pytest.raises(UserError, match="processes was 1 and is now 2"):
        Checkpoints(tmp_path, CONFIG, {"processes": 2}).restore(make_state())


@pytest.mark.parametrize(("asked", "then"), [(0, 2), (1, 1)])
def test_a_resumed_run_goes_on_with_as_many_threads(tmp_path, asked, then):
    """Torch chooses by the cores it finds; the order of sums is not to change with them."""
    config, before = replace(CONFIG, threads=asked), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        Checkpoints(tmp_path, config, {}).save(make_state(step=1))
        torch.set_num_threads(1)
        Checkpoints(tmp_path, config, {}).restore(make_state())
        assert torch.get_num_threads() == then
    finally:
        torch.set_num_threads(before)
