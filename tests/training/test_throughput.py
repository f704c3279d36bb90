from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from firsthand.benchmarks.training_step import made_up_batch
from firsthand.policy.batch import Batch, Losses
from firsthand.policy.config import (
    CameraConfig,
    ImageConfig,
    PolicyConfig,
    PoolingConfig,
    TrunkConfig,
)
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from firsthand.training import throughput
from firsthand.training.distributed import Distributed
from firsthand.training.logger import report
from firsthand.training.precision import MixedPrecision
from firsthand.training.throughput import Stopwatch, count_flops, matmul_peak, timed
from firsthand.training.train_step import seed_of

CPU = torch.device("cpu")
FP32 = MixedPrecision(CPU, torch.float32)


class TwoLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(5, 7), nn.Linear(7, 2)

    def forward(self, batch):
        return Losses(self.second(torch.relu(self.first(batch.instruction))).sum())


def test_flops_of_two_layers_against_arithmetic():
    policy = TwoLayers()
    batch = Batch(images={}, valid=torch.ones(3, 1).bool(), instruction=torch.ones(3, 5))
    first = 2 * 5 * 7 * 2  # forward, and the gradient of the weight; the input needs none
    second = 2 * 7 * 2 * 3
    assert count_flops(policy, batch, FP32) == first + second
    assert policy.training
    assert all(p.grad is None for p in policy.parameters())


TINY = PolicyConfig(
    cameras=(CameraConfig("rgb_static", 32),),
    n_obs_steps=2,
    images=ImageConfig(width=8),
    pool=PoolingConfig(tokens=2),
    trunk=TrunkConfig(width=16, depth=1, heads=2),
)


def full_pass(policy, batch):
    """Operations of a pass, forwards and backwards, as torch counts them."""
    policy.train()
    with FlopCounterMode(display=False) as counter:
        policy(batch).total.backward()
    policy.zero_grad(set_to_none=True)
    return counter.get_total_flops()


@pytest.mark.parametrize("kind", ["share", "sequence", "video"])
def test_utilisation_is_of_the_passes_that_are_trained_on(kind, monkeypatch):
    """A quarter of the futures; sequences of seven frames, six windows each; video alone."""
    monkeypatch.setattr(throughput, "matmul_peak", lambda arithmetic: 1e6)
    now = [0.0]
    monkeypatch.setattr("firsthand.training.throughput.time.perf_counter", lambda: now[0])
    policy = Policy(TINY, Statistics(frames=1))
    length = 7 if kind == "sequence" else 2
    batch = made_up_batch(replace(TINY, n_obs_steps=length), 8, act=kind != "video")
    watch, batches = timed(policy, iter([batch, batch]), FP32, Distributed())
    assert [some is batch for some in batches] == [True, True]
    with watch.running(8):
        now[0] += 2.0
    wanted = full_pass(policy, batch) / 2.0 / 1e6
    assert watch.read()["utilisation"] == pytest.approx(wanted, rel=1e-9)


class Looks(TwoLayers):
    """Its encoder works on pictures, not on what was made of them before."""

    def forward(self, batch):
        seen = [self.first(batch.instruction) for _ in range(9)] if batch.images else []
        return Losses(super().forward(batch).total + sum(x.sum() for x in seen))


def test_an_encoder_that_is_skipped_is_not_counted(monkeypatch):
    monkeypatch.setattr(throughput, "matmul_peak", lambda arithmetic: 1.0)
    words = {"valid": torch.ones(4, 1).bool(), "instruction": torch.ones(4, 5)}
    stored = Batch(images={}, features={"rgb_static": torch.ones(4, 1, 2, 3)}, **words)
    watch, _ = timed(Looks(), iter([stored]), FP32, Distributed())
    assert watch._flops == count_flops(TwoLayers(), Batch(images={}, **words), FP32)


def test_nothing_is_counted_where_nothing_is_left_to_learn():
    watch, batches = timed(TwoLayers(), iter([]), FP32, Distributed())
    assert list(batches) == []
    assert watch.read()["utilisation"] == 0


def test_a_matrix_product_has_a_plausible_peak():
    assert 1e8 < matmul_peak(FP32, size=128, tries=2) < 1e14


def test_rates_count_steps_and_waiting_only(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("firsthand.training.throughput.time.perf_counter", lambda: now[0])
    watch = Stopwatch(flops=50.0, peak=1e4, processes=1)
    for _ in range(2):
        with watch.running(8):
            with watch.waiting():
                now[0] += 0.25
            now[0] += 0.75
        now[0] += 5.0
    rates = watch.read()
    assert rates == {"windows_per_second": 8.0, "data_share": 0.25, "utilisation": 8 * 50 / 1e4}
    assert (watch.total_windows, watch.total_seconds) == (16, 2)
    assert watch.read()["windows_per_second"] == 0


def test_seeds_depend_on_every_part():
    seeds = {
        seed_of(a, b, c, d) for a in range(3) for b in range(3) for c in (0, 1) for d in (0, 1)
    }
    assert len(seeds) == 36
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_of(1, 2, 3, 4) == seed_of(1, 2, 3, 4)


def test_the_last_step_is_always_told_where_there_is_no_terminal(capsys):
    with report("training", 3, 0, speak=True) as reporter:
        for _ in range(3):
            reporter.advance()
            reporter.metrics(0.5, 12.0)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["training 0/3", "training 3/3 · loss 0.5000 · 12 windows/s · 0:00"]


@pytest.mark.parametrize(
    ("rate", "said"), [(0.01234, "0.0123"), (0.5, "0.5"), (7.126, "7.13"), (1234.6, "1,235")]
)
def test_speeds_of_slow_machines_can_be_read(capsys, rate, said):
    with report("training", 1, 0, speak=True) as reporter:
        reporter.advance()
        reporter.metrics(0.5, rate)
    assert f" {said} windows/s" in capsys.readouterr().out


def test_a_terminal_gets_one_live_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with report("training", 2, 0, speak=True) as reporter:
        for _ in range(2):
            reporter.advance()
            reporter.metrics(0.25, 7.0)
    assert "loss 0.2500" in capsys.readouterr().out
