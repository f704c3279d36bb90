"""Long sequences, each frame encoded once, against the windows in them one by one."""

from dataclasses import replace

import pytest
import torch

from firsthand.policy.batch import Batch, SequenceWindows
from firsthand.policy.config import ActionConfig, PolicyConfig, TrunkConfig
from tests.policy.conftest import make, tiny, tiny_gr1

LENGTH, WINDOW = 7, 3


def sequences(config: PolicyConfig, make_batch) -> Batch:
    """Three sequences of 7 frames, of which 7, 4 and 2 are real."""
    batch = make_batch(replace(config, n_obs_steps=LENGTH), size=3)
    real = torch.arange(LENGTH) < torch.tensor([7, 4, 2])[:, None]
    return replace(batch, valid=real, future_valid=batch.future_valid & real)


def by_hand(batch: Batch) -> Batch:
    """Every window that begins on a real frame, cut with a loop."""
    real = batch.valid
    places = [(b, s) for b in range(3) for s in range(LENGTH - WINDOW + 1) if real[b, s]]

    def cut(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[b, s : s + WINDOW] for b, s in places])

    return Batch(
        images={camera: cut(x) for camera, x in batch.images.items()},
        valid=cut(batch.valid),
        instruction=torch.stack([batch.instruction[b] for b, _ in places]),
        state=cut(batch.state),
        actions=cut(batch.actions),
        actions_valid=cut(batch.actions_valid),
        future={camera: cut(x) for camera, x in batch.future.items()},
        future_valid=cut(batch.future_valid),
    )


@pytest.mark.parametrize("config", [tiny(), tiny_gr1()], ids=["small", "gr1"])
def test_a_long_sequence_teaches_what_its_windows_teach(config, make_batch):
    policy = make(config).train()
    batch = sequences(config, make_batch)
    encoded = []
    policy.images.register_forward_hook(lambda _, inputs, __: encoded.append(len(inputs[0])))
    once, plain = policy(batch), policy(by_hand(batch))
    assert once.scalars() == pytest.approx(plain.scalars(), rel=1e-5)
    assert sum(encoded) == 2 * (3 * LENGTH + (5 + 4 + 2) * WINDOW)  # two cameras
    policy.zero_grad()
    policy(batch).total.backward()
    gradients = {n: p.grad.clone() for n, p in policy.named_parameters() if p.requires_grad}
    policy.zero_grad()
    policy(by_hand(batch)).total.backward()
    for name, parameter in policy.named_parameters():
        if parameter.requires_grad:
            assert torch.allclose(gradients[name], parameter.grad, rtol=1e-3, atol=1e-6), name


def test_windows_are_views_of_the_frames_they_name():
    valid = torch.tensor([[True, True, True, False], [True, False, False, False]])
    windows = SequenceWindows(valid, 2)
    frames = torch.arange(8).view(2, 4)
    assert windows.cut(frames).tolist() == [[0, 1], [1, 2], [2, 3], [4, 5]]


@pytest.mark.parametrize("intra_step_attention", ["full", "causal"])
def test_a_trunk_with_rotary_positions_slides_its_window_over_a_sequence(
    intra_step_attention, make_batch
):
    trunk = TrunkConfig(24, 2, 2, position="rotary", intra_step_attention=intra_step_attention)
    policy = make(tiny(trunk=trunk, action=ActionConfig(4, n_action_steps=3)))
    batch = sequences(policy.config, make_batch)
    losses = policy(batch).scalars()
    assert all(torch.tensor(list(losses.values())).isfinite())
    for parameter in policy.parameters():
        assert parameter.grad is None
    policy(batch).total.backward()
    assert all(p.grad.isfinite().all() for p in policy.parameters() if p.grad is not None)
    # Two layers of windows of three frames: what is five frames old is forgotten.
    said = policy.predict(batch, video=False).actions
    other = {camera: x.clone() for camera, x in batch.images.items()}
    for pictures in other.values():
        pictures[0, 0] = 255 - pictures[0, 0]
    state = batch.state.clone()
    state[0, 0] += 1
    changed = policy.predict(replace(batch, images=other, state=state), video=False).actions
    differs = (said[0] != changed[0]).flatten(1).any(dim=1)
    assert differs[:4].any()
    assert not differs[5:].any()
