"""Two processes with a batch each do what one process does with both."""

import json
import os
import socket

import pytest
import torch
from safetensors.torch import load_file

from tests.training.tiny_policy import TinyWindows, make_policy
from training.config import TrainConfig
from training.loop import train


def run_as(rank, port, run_dir):
    """Rank `rank` of two, with weights of its own to begin with."""
    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update(world, RANK=str(rank), LOCAL_RANK=str(rank))
    run(run_dir, batch_size=4, policy_seed=rank)


def run(run_dir, batch_size, policy_seed=0):
    config = TrainConfig(
        steps=8,
        batch_size=batch_size,
        accumulate=2,
        warmup=2,
        log_every=2,
        validate_every=4,
        validate_batches=3,
        picture_every=0,
        checkpoint_every=4,
        shift={"rgb_static": 2},
        precision="fp32",
        threads=1,
    )
    policy = make_policy(policy_seed, dropout=0.0)
    windows = TinyWindows(act=False), TinyWindows(12, act=False)
    return train(policy, *windows, config, run_dir)


def test_two_processes_equal_one_with_double_batches(processes, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    team = [
        processes.Process(target=run_as, args=(rank, port, tmp_path / "two")) for rank in range(2)
    ]
    for process in team:
        process.start()
    run(tmp_path / "one", batch_size=8)
    for process in team:
        process.join()
    assert [process.exitcode for process in team] == [0, 0]

    folders = [tmp_path / name / "checkpoints/last/training.safetensors" for name in ("one", "two")]
    one, two = (load_file(folder) for folder in folders)
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=2e-5, msg=name)
    lines = [(tmp_path / n / "metrics.jsonl").read_text().splitlines() for n in ("one", "two")]
    for first, second in zip(*lines, strict=True):
        first, second = json.loads(first), json.loads(second)
        assert first["step"] == second["step"]
        for tag in ("train/loss", "held_out/loss", "optim/grad_norm"):
            assert first.get(tag, 0.0) == pytest.approx(second.get(tag, 0.0), rel=1e-4)
