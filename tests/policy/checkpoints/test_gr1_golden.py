"""The numbers of the official GR-1, from its own weights loaded by its own names."""

import numpy as np
import torch

from firsthand.policy.checkpoints.gr1 import load_gr1
from firsthand.policy.modules.video_decoder import sincos_position
from tests.helpers.golden import GOLDEN, golden_inputs, official_weights

CASES = {"v10_s0": (10, 0), "v4_s1": (4, 1)}  # all ten frames real; four, and six of padding
SHOWN = [0, 49, 98, 147]  # the patches that are recorded whole; of the others, the length
CAMERAS = {"obs": "static", "obs_hand": "gripper"}


def test_a_window_is_predicted_as_the_official_release_predicts_it():
    """One test, so that the model is built once."""
    golden = dict(np.load(GOLDEN / "gr1_official.npz"))
    gr1 = load_gr1(official_weights())
    for case, (valid, seed) in CASES.items():
        said = gr1.predict_window(**golden_inputs(valid, seed))
        for part in ("arm", "gripper"):
            wanted = torch.from_numpy(golden[f"{case}_{part}"])
            torch.testing.assert_close(said[part], wanted, rtol=0, atol=1e-5)
            assert wanted.std() > 1e-3  # that they are near means something
        for theirs, ours in CAMERAS.items():
            assert_patches(said["frames"][ours], golden, f"{case}_{theirs}_preds")
        assert_patches(said["targets"]["static"], golden, f"{case}_obs_targets")


def assert_patches(patches: torch.Tensor, golden: dict[str, np.ndarray], name: str) -> None:
    wanted = torch.from_numpy(golden[name])
    torch.testing.assert_close(patches[:, :, SHOWN], wanted, rtol=0, atol=1e-4)
    lengths = torch.from_numpy(golden[f"{name}_norm"])
    torch.testing.assert_close(patches.norm(dim=-1), lengths, rtol=0, atol=1e-4)


def test_the_fixed_table_is_the_official_one():
    wanted = torch.from_numpy(np.load(GOLDEN / "gr1_official.npz")["decoder_pos_embed"])[0]
    torch.testing.assert_close(sincos_position(14, 384), wanted, rtol=0, atol=1e-6)
