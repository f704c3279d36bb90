from dataclasses import replace

import numpy as np
import pytest
import torch

from firsthand.policy.batch import Batch
from firsthand.policy.config import ActionConfig, TrunkConfig
from firsthand.policy.inference.temporal_ensemble import TemporalEnsembler
from firsthand.policy.modules.action_head import decode_actions
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from tests.policy.conftest import make, tiny, tiny_gr1


def observe(seed: int) -> dict:
    rng = np.random.default_rng(seed)
    return {
        "rgb_obs": {
            "rgb_static": rng.integers(0, 256, (32, 32, 3), dtype=np.uint8),
            "rgb_gripper": rng.integers(0, 256, (16, 16, 3), dtype=np.uint8),
        },
        "robot_obs": rng.standard_normal(15),
    }


def observe_large(seed: int) -> dict:
    """For the cameras of tests.policy.conftest.tiny_gr1, from pictures of another size."""
    rng = np.random.default_rng(seed)
    sizes = {"rgb_static": 200, "rgb_gripper": 84}
    pictures = {c: rng.integers(0, 256, (s, s, 3), dtype=np.uint8) for c, s in sizes.items()}
    return {"rgb_obs": pictures, "robot_obs": rng.standard_normal(15)}


def whole_window(policy: Policy, seen: list[dict], instruction: str) -> torch.Tensor:
    """What `predict` says at the last of some observations, encoding all of them anew."""
    stride = round(policy.config.obs_stride_s * policy.config.control_hz)
    window = seen[::-stride][: policy.config.n_obs_steps][::-1]
    images = {
        camera: torch.stack([torch.tensor(o["rgb_obs"][camera]).permute(2, 0, 1) for o in window])
        for camera in ("rgb_static", "rgb_gripper")
    }
    batch = Batch(
        images={camera: pictures[None] for camera, pictures in images.items()},
        valid=torch.ones(1, len(window), dtype=torch.bool),
        instruction=policy.encode_instructions([instruction]),
        state=torch.tensor(np.stack([o["robot_obs"] for o in window])).float()[None],
    )
    return policy.predict(batch, video=False).actions[0, -1]


@pytest.mark.parametrize(("stride", "execute"), [(0.2, 2), (0.2, 1), (0.1, 3), (0.4, 2), (0.3, 2)])
def test_the_closed_loop_says_what_predict_says_on_the_same_history(stride, execute):
    policy = make(tiny(obs_stride_s=stride, action=ActionConfig(4, n_action_steps=execute)))
    seen = []
    policy.reset("open the drawer")
    for step in range(14):
        seen.append(observe(step))
        if step % execute == 0:
            chunk = whole_window(policy, seen, "open the drawer")
        acted = policy.select_action(seen[-1])
        assert np.allclose(acted, chunk[step % execute].numpy(), atol=1e-5)


@pytest.mark.slow
def test_400_steps_with_resets_say_what_whole_windows_say():
    """GR-1's way: a look at every step, a window of ten frames that fills and then slides."""
    policy = make(replace(tiny_gr1(), n_obs_steps=10, obs_stride_s=1 / 30, control_hz=30.0))
    sentences = ["open the drawer", "push the red block", "turn on the light"]
    encoded = []
    policy.images.register_forward_hook(lambda _, inputs, __: encoded.append(len(inputs[0])))
    seen: list[dict] = []
    worst = 0.0
    for step in range(400):
        if step in (0, 7, 100, 101, 250):
            seen, sentence = [], sentences[step % 3]
            policy.reset(sentence)
        seen.append(observe_large(step))
        encoded.clear()
        acted = policy.select_action(seen[-1])
        assert sum(encoded) == 2  # one new picture a camera
        plain = whole_window(policy, seen, sentence)[0].numpy()
        worst = max(worst, np.abs(acted - plain).max())
    assert worst < 1e-5


@pytest.mark.parametrize("config", [tiny_gr1(), tiny(), "streaming"], ids=["gr1", "small", "ring"])
def test_eight_worlds_side_by_side_are_eight_worlds_alone(config):
    if config == "streaming":
        trunk = TrunkConfig(24, 2, 2, position="rotary")
        config = tiny(trunk=trunk, obs_stride_s=0.2, action=ActionConfig(4, n_action_steps=2))
    policy = make(config)
    look = observe if config.cameras[0].size == 32 else observe_large
    sentences = [f"push block {seat}" for seat in range(8)]
    together, alone = policy.actor(8), [policy.actor(1) for _ in range(8)]
    rng = np.random.default_rng(0)
    for step in range(25):
        for seat in range(8):
            if step == 0 or rng.random() < 0.1:
                together.reset(seat, sentences[seat])
                alone[seat].reset(0, sentences[seat])
        present = [seat for seat in range(8) if step < 2 or rng.random() < 0.8]
        shown = {seat: look(100 * step + seat) for seat in present}
        said = together.select_actions(shown)
        assert list(said) == present
        for seat in present:
            plain = alone[seat].select_actions({0: shown[seat]})[0]
            assert np.allclose(said[seat], plain, atol=1e-5)


def test_streaming_says_what_the_training_forward_says_of_the_whole_past():
    trunk = TrunkConfig(24, 2, 2, position="rotary", intra_step_attention="causal")
    policy = make(tiny(trunk=trunk, obs_stride_s=0.1, action=ActionConfig(4, n_action_steps=1)))
    policy.reset("open the drawer")
    seen = [observe(step) for step in range(30)]
    acted = [policy.select_action(observation) for observation in seen]
    batch = Batch(
        images={
            camera: torch.stack(
                [torch.tensor(o["rgb_obs"][camera]).permute(2, 0, 1) for o in seen]
            )[None]
            for camera in ("rgb_static", "rgb_gripper")
        },
        valid=torch.ones(1, 30, dtype=torch.bool),
        instruction=policy.encode_instructions(["open the drawer"]),
        state=torch.tensor(np.stack([o["robot_obs"] for o in seen])).float()[None],
    )
    said = policy.predict(batch, video=False).actions[0, :, 0]
    assert np.allclose(np.stack(acted), said.numpy(), atol=1e-5)


def test_streaming_looks_once_a_stride():
    trunk = TrunkConfig(24, 2, 2, position="rotary")
    policy = make(tiny(trunk=trunk, obs_stride_s=0.3, action=ActionConfig(4, n_action_steps=2)))
    with pytest.raises(ValueError, match="3 control steps, action.n_action_steps is 2"):
        policy.reset("open the drawer")


def test_an_ensemble_averages_what_all_chunks_say_of_now():
    config = ActionConfig(chunk_size=3, n_action_steps=1, temporal_ensemble_coeff=0.5)
    chunks = torch.randn(5, 3, 7, generator=torch.Generator().manual_seed(0))
    plan = TemporalEnsembler(config)
    for now in range(5):
        plan.add(chunks[now, :, :6], chunks[now, :, 6])
        made = [step for step in range(5) if 0 <= now - step < 3]
        weights = np.exp(-0.5 * np.arange(len(made)))
        said = np.stack([chunks[step, now - step].numpy() for step in made])
        mean = (weights[:, None] * said).sum(0) / weights.sum()
        action = plan.next().numpy()
        assert np.allclose(action[:6], mean[:6].clip(-1, 1), atol=1e-6)
        assert action[6] == (1 if mean[6] > 0 else -1)


def test_the_published_habit_is_not_to_clip():
    far = torch.full((1, 6), 1.5)
    assert decode_actions(far, torch.ones(1), clip=False)[0].tolist() == [1.5] * 6 + [1.0]
    assert decode_actions(far, torch.ones(1), clip=True)[0].tolist() == [1.0] * 7


def test_reset_forgets_everything():
    policy = make(tiny())
    policy.reset("open the drawer")
    first = [policy.select_action(observe(i)) for i in range(5)]
    policy.reset("open the drawer")
    again = [policy.select_action(observe(i)) for i in range(5)]
    assert np.array_equal(first, again)


def test_acting_needs_an_instruction_and_demonstrations():
    with pytest.raises(RuntimeError, match="call reset"):
        make(tiny()).select_action(observe(0))
    with pytest.raises(ValueError, match="video alone"):
        Policy(tiny(), Statistics()).reset("open the drawer")


def wrong_pictures():
    picture = observe(0)["rgb_obs"]["rgb_static"]
    square = r"a picture is \(height, width, 3\) of uint8"
    return {
        "0 to 1": (picture / 255, r"\(32, 32, 3\) of float64; " + square),
        "-1 to 1": (np.float32(picture / 127.5 - 1), ".*of float32; " + square),
        "bool": (picture > 127, ".*of bool; " + square),
        "int64": (picture.astype(np.int64), ".*of int64; " + square),
        "channels first": (picture.transpose(2, 0, 1), r"\(3, 32, 32\) of uint8; " + square),
        "rgba": (np.zeros((32, 32, 4), np.uint8), r"\(32, 32, 4\) of uint8; " + square),
        "grey": (picture[..., 0], r"\(32, 32\) of uint8; " + square),
        "batch": (picture[None], r"\(1, 32, 32, 3\) of uint8; " + square),
        "wide": (np.zeros((20, 30, 3), np.uint8), "20 pixels high and 30 wide; .* squares"),
        "empty": (np.zeros((0, 0, 3), np.uint8), ".*" + square),
        "none": (None, r"\(\) of object; " + square),
    }


@pytest.mark.parametrize("kind", wrong_pictures())
def test_pictures_of_another_kind_are_refused(kind):
    policy = make(tiny())
    policy.reset("open the drawer")
    seen = observe(0)
    seen["rgb_obs"]["rgb_static"], words = wrong_pictures()[kind]
    with pytest.raises(ValueError, match=r"rgb_obs\['rgb_static'\] is " + words):
        policy.select_action(seen)


def test_pictures_may_be_tensors_and_of_another_size():
    policy = make(tiny())
    policy.reset("open the drawer")
    seen = observe(0)
    said = policy.select_action(seen)
    policy.reset("open the drawer")
    seen["rgb_obs"] = {name: torch.tensor(p) for name, p in seen["rgb_obs"].items()}
    assert np.array_equal(policy.select_action(seen), said)
    seen["rgb_obs"]["rgb_static"] = np.zeros((64, 64, 3), np.uint8)
    assert np.isfinite(policy.select_action(seen)).all()


def test_a_camera_that_is_not_there_is_named():
    policy = make(tiny())
    policy.reset("open the drawer")
    seen = observe(0)
    del seen["rgb_obs"]["rgb_gripper"]
    with pytest.raises(ValueError, match="looks through rgb_gripper, and rgb_obs holds rgb_static"):
        policy.select_action(seen)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (np.full(15, np.nan), "must be finite"),
        (np.append(np.zeros(14), np.inf), "must be finite"),
        (np.zeros(7), r"is \(7,\) of float64; CALVIN's is \(15,\)"),
        (np.zeros((1, 15)), r"is \(1, 15\) of float64"),
        (None, r"is \(\) of object"),
    ],
)
def test_states_of_another_kind_are_refused(state, words):
    policy = make(tiny())
    policy.reset("open the drawer")
    with pytest.raises(ValueError, match="robot_obs " + words):
        policy.select_action(observe(0) | {"robot_obs": state})
