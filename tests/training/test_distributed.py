"""Two processes with a batch each do what one process does with both."""

import json
import os
import socket
import time

import pytest
import torch
from safetensors.torch import load_file

from firsthand.training.config import TrainConfig
from firsthand.training.distributed import init_distributed
from firsthand.training.recipe import train_policy
from tests.helpers.tiny_policy import TinyWindows, make_policy


def become(rank, port):
    """Rank `rank` of two."""
    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update(world, RANK=str(rank), LOCAL_RANK=str(rank))


def both(processes, act, *values):
    """`act(rank, port, *values)` in two processes; their exit codes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    team = [processes.Process(target=act, args=(rank, port, *values)) for rank in range(2)]
    for process in team:
        process.start()
    for process in team:
        process.join()
    return [process.exitcode for process in team]


def run_as(rank, port, run_dir):
    """With weights of its own to begin with."""
    become(rank, port)
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
    return train_policy(policy, *windows, config, run_dir)


def test_two_processes_equal_one_with_double_batches(processes, tmp_path):
    run(tmp_path / "one", batch_size=8)
    assert both(processes, run_as, tmp_path / "two") == [0, 0]

    folders = [tmp_path / name / "checkpoints/last/training.safetensors" for name in ("one", "two")]
    one, two = (load_file(folder) for folder in folders)
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=2e-5, msg=name)
    lines = [(tmp_path / n / "metrics.jsonl").read_text().splitlines() for n in ("one", "two")]
    for first, second in zip(*lines, strict=True):
        first, second = json.loads(first), json.loads(second)
        assert first["step"] == second["step"]
        for tag in ("train/loss", "val/loss", "optim/grad_norm"):
            assert first.get(tag, 0.0) == pytest.approx(second.get(tag, 0.0), rel=1e-4)


def make_together(rank, port, folder, how):
    """The first makes; each writes what came of it."""
    become(rank, port)

    def make():
        (folder / "begun").touch(exist_ok=False)
        if how == "dies":
            while not (folder / "waits").exists():  # the other is one of the team
                time.sleep(0.01)
            os._exit(9)
        if how == "fails":
            raise ValueError("no such video")
        return "made"

    with init_distributed() as team:
        if rank:
            (folder / "waits").touch()
        try:
            said = team.once(make)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        (folder / f"{rank}").write_text(said)


@pytest.mark.parametrize(
    ("how", "first", "second"),
    [
        ("works", "made", "made"),
        ("fails", "ValueError: no such video", "UserError: the first process failed: no such vid"),
        ("dies", None, "UserError: the first process died while the others waited for it"),
    ],
)
def test_what_is_made_once_is_known_to_all(processes, tmp_path, how, first, second):
    codes = both(processes, make_together, tmp_path, how)
    assert codes == [0 if first else 9, 0]
    assert (tmp_path / "1").read_text().startswith(second)
    if first:
        assert (tmp_path / "0").read_text() == first


def watch(rank, port, folder):
    """Both begin with no corpus."""
    become(rank, port)
    os.chdir(folder)
    from firsthand.build.corpora import corpora_of
    from firsthand.synthetic.hands.corpus import HandsConfig

    with init_distributed() as team:
        (part,) = corpora_of(HandsConfig(clips=3, seconds=0.5, size=16, workers=1), team.once)
        (folder / f"{rank}").write_text(part.corpus.fingerprint)


@pytest.mark.slow
def test_a_corpus_is_made_by_one_process_and_read_by_all(processes, tmp_path):
    assert both(processes, watch, tmp_path) == [0, 0]
    assert (tmp_path / "0").read_text() == (tmp_path / "1").read_text()
    assert len(list((tmp_path / "data" / "corpora").iterdir())) == 1
