"""A run that is killed and resumed ends with the bits of one that never was."""

import json
import random
import re
import time

import pytest
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from firsthand.training.config import TrainConfig
from firsthand.training.recipe import train_policy
from tests.helpers.tiny_policy import TinyWindows, make_policy


def run(run_dir, steps):
    config = TrainConfig(
        steps=steps,
        batch_size=4,
        accumulate=2,
        warmup=10,
        shift={"rgb_static": 2},
        log_every=7,
        validate_every=25,
        validate_batches=2,
        picture_every=0,
        checkpoint_every=3,
        threads=1,
    )
    train_policy(make_policy(), TinyWindows(), TinyWindows(11), config, run_dir, resume=True)


def run_forked(processes, run_dir, steps):
    process = processes.Process(target=run, args=(run_dir, steps))
    process.start()
    return process


def newest(run_dir):
    names = [p.name for p in (run_dir / "checkpoints").glob("[0-9]*")]
    return max((int(name) for name in names), default=0)


def kill_after_step(processes, run_dir, steps, goal, extra):
    """Kills the run some moments after it has made a checkpoint of step `goal` or later."""
    process = run_forked(processes, run_dir, steps)
    while newest(run_dir) < goal and process.is_alive():
        time.sleep(0.002)
    time.sleep(extra)
    process.kill()
    process.join()
    assert newest(run_dir) < steps, "the run ended before it could be killed"


def check_whole(run_dir):
    """Whatever bears a final name is complete."""
    for path in (run_dir / "checkpoints").glob("[0-9]*"):
        assert re.fullmatch(r"\d{6}", path.name)
        facts = json.loads((path / "training.json").read_text())
        assert facts["step"] == int(path.name)
        assert load_file(path / "training.safetensors")
        assert load_file(path / "policy" / "model.safetensors")
    for name in ("last", "best"):
        link = run_dir / "checkpoints" / name
        assert not link.is_symlink() or link.exists()


def figures(run_dir):
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.startswith("speed/")} for line in lines]


def shown(run_dir):
    """Every scalar that TensorBoard shows, by tag."""
    events = EventAccumulator(str(run_dir / "tensorboard")).Reload()
    tags = [tag for tag in events.Tags()["scalars"] if not tag.startswith("speed/")]
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags}


def check_equal(run_dir, reference):
    for part in ("training.safetensors", "policy/model.safetensors", "training.json"):
        assert (run_dir / "checkpoints/last" / part).read_bytes() == (
            reference / "checkpoints/last" / part
        ).read_bytes()
    names = [sorted(p.name for p in (d / "checkpoints").iterdir()) for d in (run_dir, reference)]
    assert names[0] == names[1]
    assert figures(run_dir) == figures(reference)
    assert shown(run_dir) == shown(reference)


def interrupt(processes, tmp_path, kills, steps, seed):
    reference, broken = tmp_path / "reference", tmp_path / "broken"
    run(reference, steps)
    moments = random.Random(seed)
    goal = 0
    for _ in range(kills):
        goal += moments.randint(1, steps // (kills + 2))
        kill_after_step(processes, broken, steps, goal, moments.uniform(0, 0.02))
        check_whole(broken)
        goal = max(goal, newest(broken))
    run(broken, steps)
    check_equal(broken, reference)


def test_two_kills_leave_no_trace(processes, tmp_path):
    interrupt(processes, tmp_path, kills=2, steps=120, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_ten_kills_leave_no_trace(processes, tmp_path, seed):
    interrupt(processes, tmp_path, kills=10, steps=900, seed=seed)


def test_a_kill_before_the_first_checkpoint_starts_over(processes, tmp_path):
    process = run_forked(processes, tmp_path / "broken", 10)
    while not (tmp_path / "broken" / "metrics.jsonl").exists():
        time.sleep(0.001)
    process.kill()
    process.join()
    run(tmp_path / "broken", 10)
    run(tmp_path / "reference", 10)
    check_equal(tmp_path / "broken", tmp_path / "reference")
