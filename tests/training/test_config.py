import dataclasses
import json

import pytest

from firsthand.common.errors import UserError
from firsthand.training.config import FREE_ON_RESUME, TrainConfig


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 0}, "steps must be 1 or more, not 0"),
        ({"batch_size": -3}, "batch_size must be 1 or more, not -3"),
        ({"learning_rate": 0.0}, "learning_rate must be positive, not 0.0"),
        ({"warmup": 20_000}, "warmup=20000 is longer than the run, steps=10000"),
        ({"ema": 1.0}, "ema must be at least 0 and below 1, not 1.0"),
        ({"betas": (0.9, 1.0)}, "betas must be two numbers"),
        ({"clip": 0.0}, "clip must be positive"),
        ({"shift": {"rgb_static": -1}}, "shift.rgb_static must be 0 or more pixels, not -1"),
        ({"log_every": 0}, "log_every must be 1 or more"),
        ({"final_lr_ratio": 1.5}, "final_lr_ratio must be between 0 and 1, not 1.5"),
    ],
)
def test_values_out_of_range_are_named(change, words):
    with pytest.raises(UserError, match=words):
        TrainConfig(**change)


def test_the_record_is_json_and_complete():
    config = TrainConfig(shift={"rgb_static": 2})
    assert json.loads(json.dumps(config.record())) == config.record()
    assert config.record().keys() == {f.name for f in dataclasses.fields(config)}
    assert config.record().keys() > FREE_ON_RESUME
