"""What was written before 0.2.0 is read by today's names."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from firsthand.policy.checkpoints.aliases import (
    KEYS,
    VALUES,
    WEIGHTS,
    today,
    today_flat,
    today_word,
    weight_of_before,
)
from firsthand.policy.checkpoints.storage import load_policy
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.training.invariants import hash_of_weights
from tests.helpers.golden import GOLDEN

BEFORE = GOLDEN / "policy_version_1"  # written by 0.1.0, with what it did in four steps


def test_a_policy_of_before_acts_as_it_did() -> None:
    policy = Policy.from_pretrained(BEFORE)
    rng = np.random.default_rng(3)
    policy.reset("open the drawer")
    for wanted in np.load(BEFORE / "actions.npy"):
        sizes = {"rgb_static": 32, "rgb_gripper": 16}
        shown = {c: rng.integers(0, 256, (s, s, 3), dtype=np.uint8) for c, s in sizes.items()}
        acted = policy.select_action({"rgb_obs": shown, "robot_obs": rng.standard_normal(15)})
        np.testing.assert_allclose(acted, wanted, atol=1e-5)


def test_every_name_of_before_is_one_of_today() -> None:
    config = load_policy(BEFORE)[0]
    assert (config.n_obs_steps, config.obs_stride_s, config.horizon_s) == (2, 0.2, 0.4)
    assert (config.state, config.trunk.position, config.pool.kind) == (
        "fourier",
        "learned",
        "spatial_softmax",
    )
    before = json.loads((BEFORE / "config.json").read_text())
    assert all(_has(before, key) for key in KEYS if key != "video.residual")  # of 0.2.0
    assert all(_has(asdict(PolicyConfig()), key) for key in [*KEYS.values(), *VALUES])


def test_settings_of_a_run_are_read_by_today_s_names() -> None:
    before = {"policy.length": 3, "policy.trunk.position": "slot", "corpus.length": 7}
    assert today_flat(before) == {
        "policy.n_obs_steps": 3,
        "policy.trunk.position": "time",
        "corpus.length": 7,
    }


@pytest.mark.parametrize("value", [True, "true"])
def test_a_decoder_of_before_starts_from_features(value: object) -> None:
    for name in ("policy.video.from_current", "policy.video.residual"):
        assert today_flat({name: value}) == {"policy.video.start": "features"}
    assert load_policy(BEFORE)[0].video.start == "features"
    assert today_word("policy.video.residual=false") == "policy.video.start=mask"


def test_what_has_today_s_names_stays() -> None:
    config = asdict(PolicyConfig())
    assert today(config) == config


def test_saved_again_it_has_today_s_names(tmp_path: Path) -> None:
    Policy.from_pretrained(BEFORE).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["n_obs_steps"] == 2
    names = load_file(tmp_path / "model.safetensors")
    assert names.keys() == Policy(*load_policy(tmp_path)[:2]).state_dict().keys()
    (tmp_path / "config.json").write_text('{"format_version": 5}')
    with pytest.raises(ValueError, match="format_version 5, not 4"):
        load_policy(tmp_path)


def test_weights_of_before_have_names_of_today() -> None:
    before = load_file(BEFORE / "model.safetensors")
    weights = load_policy(BEFORE)[2]
    assert all(
        any(name.startswith(old) for name in before) for old in ("embed_picture.", "embed_slot.")
    )
    assert not [name for name in weights if name.startswith(tuple(WEIGHTS))]
    assert {weight_of_before(name) for name in weights} == before.keys()
    assert hash_of_weights(weights) == hash_of_weights(before)


def _has(config: dict, key: str) -> bool:
    for name in key.split("."):
        if name not in config:
            return False
        config = config[name]
    return True
