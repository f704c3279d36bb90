import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from firsthand.training.config import TrainConfig
from firsthand.training.ema import EMA
from firsthand.training.optimizer import build_optimizer, learning_rate, parameter_groups, trainable
from tests.helpers.tiny_policy import make_policy


@given(
    steps=st.integers(2, 500),
    warmup=st.integers(0, 100),
    floor=st.floats(0, 1),
    step=st.integers(1, 500),
)
def test_learning_rate_follows_the_closed_form(steps, warmup, floor, step):
    warmup, step = min(warmup, steps), min(step, steps)
    config = TrainConfig(steps=steps, warmup=warmup, learning_rate=2.0, final_lr_ratio=floor)
    if step <= warmup:
        expected = 2.0 * step / warmup
    else:
        angle = math.pi * (step - warmup) / (steps - warmup)
        expected = 2.0 * (floor + (1 - floor) * 0.5 * (1 + math.cos(angle)))
    assert learning_rate(step, config) == pytest.approx(expected, rel=1e-12)


def test_learning_rate_peaks_and_ends_where_it_should():
    config = TrainConfig(steps=100, warmup=10, learning_rate=3e-3, final_lr_ratio=0.1)
    rates = [learning_rate(step, config) for step in range(1, 101)]
    assert max(rates) == rates[9] == 3e-3
    assert rates[-1] == pytest.approx(3e-4)
    assert all(rate > 0 for rate in rates)


def test_every_trainable_parameter_is_in_one_group_and_only_matrices_decay():
    policy = make_policy()
    decayed, spared = parameter_groups(policy, 0.3)
    names = {id(p): name for name, p in policy.named_parameters()}
    assert decayed["weight_decay"] == 0.3
    assert spared["weight_decay"] == 0
    assert {names[id(p)] for p in decayed["params"]} == {
        "look.weight",
        "read.weight",
        "act.weight",
        "imagine.weight",
    }
    everything = [names[id(p)] for p in decayed["params"] + spared["params"]]
    assert sorted(everything) == sorted(set(names.values()) - {"frozen.weight"})


def test_a_shared_parameter_is_optimised_once():
    policy = make_policy()
    policy.again = policy.read
    count = sum(len(g["params"]) for g in build_optimizer(policy, TrainConfig()).param_groups)
    assert count == len(trainable(policy)) == len(trainable(make_policy()))


def test_average_follows_the_plain_formula():
    policy = make_policy()
    average = EMA(policy, 0.9)
    expected = {name: p.detach().double() for name, p in trainable(policy).items()}
    for step in range(1, 30):
        with torch.no_grad():
            for parameter in policy.parameters():
                parameter += torch.randn_like(parameter)
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        for name, parameter in trainable(policy).items():
            expected[name] = decay * expected[name] + (1 - decay) * parameter.detach().double()
    for name, value in expected.items():
        torch.testing.assert_close(average.values[name].double(), value, rtol=1e-5, atol=1e-5)


def test_without_decay_the_average_is_the_weights():
    policy = make_policy()
    average = EMA(policy, 0.0)
    with torch.no_grad():
        policy.query += 1.7
    average.update(1)
    assert torch.equal(average.values["query"], policy.query)


def test_averaged_weights_come_and_go_bit_for_bit():
    policy = make_policy()
    average = EMA(policy, 0.5)
    with torch.no_grad():
        policy.query += torch.randn_like(policy.query)
    own = policy.query.detach().clone()
    with average.in_place():
        assert torch.equal(policy.query, torch.zeros_like(own))
    assert torch.equal(policy.query, own)
