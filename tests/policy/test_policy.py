import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from firsthand.cli.schema import build
from firsthand.policy.batch import Batch
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from tests.policy.conftest import SEEN, make, tiny


def outputs(policy: Policy, batch: Batch) -> dict[str, torch.Tensor]:
    """Everything the policy says, before any clipping could hide a change."""
    with torch.no_grad():
        tokens, views = policy.embed_observation(batch)
        layout = policy.layout_of(batch, actions=True, futures=tuple(batch.images))
        read = policy.run_transformer(tokens, batch.valid, layout)
        frames = {f"frames {c}": policy.decode_frames(read[f"future {c}"], views[c]) for c in views}
    return read | frames


def ask(policy: Policy, batch: Batch, *, actions: bool, futures: tuple[str, ...]) -> dict:
    """The trunk's output for these questions alone."""
    tokens, _ = policy.embed_observation(batch)
    return policy.run_transformer(
        tokens, batch.valid, policy.layout_of(batch, actions=actions, futures=futures)
    )


def changed_after(batch: Batch, step: int) -> Batch:
    """The same up to and including `step`, everything else different."""
    noise = torch.Generator().manual_seed(1)

    def scramble(value: torch.Tensor) -> torch.Tensor:
        other = value.clone()
        rest = value[:, step + 1 :]
        if value.dtype == torch.uint8:
            random = torch.randint(0, 256, rest.shape, dtype=torch.uint8, generator=noise)
        else:
            random = torch.randn(rest.shape, generator=noise)
        other[:, step + 1 :] = random
        return other

    images = {camera: scramble(pictures) for camera, pictures in batch.images.items()}
    return replace(batch, images=images, state=scramble(batch.state))


def test_nothing_after_a_step_changes_what_is_said_up_to_it(policy, config, make_batch):
    batch = make_batch(config)
    before = outputs(policy, batch)
    for step in range(config.n_obs_steps):
        after = outputs(policy, changed_after(batch, step))
        for name, value in before.items():
            assert torch.allclose(value[:, : step + 1], after[name][:, : step + 1], atol=1e-5), name
            if step + 1 < config.n_obs_steps:
                assert not torch.allclose(value[:, step + 1 :], after[name][:, step + 1 :])


def test_padding_changes_nothing_and_a_shorter_window_says_the_same(policy, config, make_batch):
    batch = make_batch(config)
    before = outputs(policy, batch)
    for steps in range(1, config.n_obs_steps):
        later = ("actions", "actions_valid", "future", "future_valid", "narrated")
        seen = replace(batch, **dict.fromkeys(later))
        valid = torch.arange(config.n_obs_steps) < steps
        padded = replace(changed_after(batch, steps - 1), valid=valid.expand(2, -1).clone())
        short = replace(
            seen,
            images={c: p[:, :steps] for c, p in batch.images.items()},
            state=batch.state[:, :steps],
            valid=batch.valid[:, :steps],
        )
        for name, value in before.items():
            for other in (padded, short):
                said = outputs(policy, other)[name][:, :steps]
                assert torch.allclose(value[:, :steps], said, atol=1e-5), name


def test_leaving_out_a_query_changes_no_other(policy, config, make_batch):
    batch = make_batch(config)
    with torch.no_grad():
        whole = ask(policy, batch, actions=True, futures=tuple(batch.images))
        alone = ask(policy, batch, actions=True, futures=())
        silent = ask(policy, batch, actions=False, futures=("rgb_gripper",))
    assert torch.allclose(whole["action"], alone["action"], atol=1e-6)
    assert torch.allclose(whole["future rgb_gripper"], silent["future rgb_gripper"], atol=1e-6)


def test_changing_a_query_changes_its_own_output_alone(config, make_batch):
    policy, batch = make(config), make_batch(config)
    before = outputs(policy, batch)
    with torch.no_grad():
        policy.video_query["rgb_static"].weight[0] += 1
    after = outputs(policy, batch)
    for name in ("action", "future rgb_gripper"):
        assert torch.equal(before[name], after[name])
    assert torch.equal(before["future rgb_static"][:, :, 1:], after["future rgb_static"][:, :, 1:])
    assert not torch.equal(
        before["future rgb_static"][:, :, 0], after["future rgb_static"][:, :, 0]
    )


def test_a_loss_is_there_when_its_targets_are(policy, config, make_batch):
    batch = make_batch(config)
    losses = policy(batch)
    watched = {"total", "video/rgb_static", "video/rgb_gripper"}
    said = {"contrastive", "attention", "pointing"} if config.narration.enabled else set()
    assert set(losses.scalars()) == watched | said | {"arm", "gripper"}
    video = replace(batch, actions=None, actions_valid=None, state=None)
    assert set(policy(video).scalars()) == watched | said
    assert set(policy(replace(video, narrated=None)).scalars()) == watched
    acts = replace(batch, future=None, future_valid=None)
    assert set(policy(acts).scalars()) == {"total", "arm", "gripper"}
    with pytest.raises(ValueError, match="neither actions nor future"):
        policy(replace(video, future=None))


def test_while_acting_is_learned_a_share_of_the_futures_is_predicted(make_batch):
    config = tiny()
    batch = make_batch(config, size=5)
    some = make(replace(config, video=replace(config.video, batch_fraction=0.4)))
    video = {
        "images": {c: p[:2] for c, p in batch.images.items()},
        "future": {c: p[:2] for c, p in batch.future.items()},
    }
    names = ("valid", "instruction", "state", "future_valid")
    first = Batch(**video, **{name: getattr(batch, name)[:2] for name in names})
    for camera, loss in some(first).video.items():
        assert torch.allclose(some(batch).video[camera], loss, rtol=1e-4)


@pytest.mark.parametrize(("length", "frames"), [(2, 2), (2, 5)])
def test_passes_with_fewer_targets_count_less(make_batch, length, frames):
    """Two unequal passes, averaged, are the whole; of sequences the windows count."""
    config = tiny(n_obs_steps=length)
    policy = make(config)
    batch = make_batch(replace(config, n_obs_steps=frames), size=6)
    batch.valid[5, 2:] = batch.actions_valid[:2, 1:] = batch.future_valid[0] = False
    parts = [
        Batch(**{
            name: {c: p[rows] for c, p in value.items()} if isinstance(value, dict) else value[rows]
            for name, value in vars(batch).items() if value is not None
        })
        for rows in (slice(0, 3), slice(3, 6))
    ]  # fmt: skip
    targets = [policy.targets(part) for part in parts]
    assert torch.equal(sum(targets), policy.targets(batch))
    assert not torch.equal(*targets)
    gradients, logged = [], []
    for passes, expected in (([batch], None), (parts, sum(targets) / 2)):
        policy.zero_grad()
        losses = [policy(part, expected) for part in passes]
        (sum(loss.total for loss in losses) / len(passes)).backward()
        gradients.append([p.grad.clone() for p in policy.parameters() if p.grad is not None])
        names = losses[0].logged()
        logged.append([sum(each.logged()[n] for each in losses) / len(passes) for n in names])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(torch.stack(logged[0]), torch.stack(logged[1]))


def test_invalid_targets_do_not_count(policy, config, make_batch):
    batch = make_batch(config)
    valid = batch.actions_valid.clone()
    valid[0] = False
    future_valid = batch.future_valid.clone()
    future_valid[0] = False
    some = policy(replace(batch, actions_valid=valid, future_valid=future_valid)).scalars()
    second = {
        "images": {c: p[1:] for c, p in batch.images.items()},
        "future": {c: p[1:] for c, p in batch.future.items()},
    }
    rest = {
        name: getattr(batch, name)[1:]
        for name in vars(batch)
        if name not in second and getattr(batch, name) is not None
    }
    alone = policy(Batch(**second, **rest)).scalars()
    assert some == pytest.approx(alone, rel=1e-4)


def test_every_trainable_parameter_learns(config, make_batch):
    policy = make(config).train()
    policy(make_batch(config)).total.backward()
    for name, parameter in policy.named_parameters():
        if not parameter.requires_grad:
            assert name.startswith(("images.vit.", "language.clip.")), name
        else:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_an_untrained_small_policy_predicts_no_change(make_batch):
    config = tiny()
    batch = make_batch(config)
    frames = Policy(config, SEEN).eval().predict(batch).frames
    for camera, pictures in frames.items():
        assert torch.allclose(pictures, batch.images[camera] / 255, atol=1e-6)


def test_attention_maps_sum_to_one(make_batch):
    config = tiny()
    attention = make(config).predict(make_batch(config)).attention
    for maps in attention.values():
        assert torch.allclose(maps.sum((-2, -1)), torch.ones(2, config.n_obs_steps, 3), atol=1e-5)


def test_actions_are_what_the_world_understands(policy, config, make_batch):
    actions = policy.predict(make_batch(config)).actions
    assert actions.shape == (2, config.n_obs_steps, config.action.chunk_size, 7)
    assert actions[..., :6].abs().max() <= 1
    assert set(actions[..., 6].unique().tolist()) <= {-1.0, 1.0}


def test_saving_and_loading_changes_nothing(policy, config, make_batch, tmp_path):
    policy.save_pretrained(tmp_path)
    again = Policy.from_pretrained(tmp_path)
    assert again.config == config
    assert again.statistics == SEEN
    batch = make_batch(config)
    for name, value in outputs(policy, batch).items():
        assert torch.equal(value, outputs(again, batch)[name])
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_who_may_read_a_saved_policy_is_for_the_umask_to_say(umask, mode, tmp_path):
    before = os.umask(umask)
    try:
        make(tiny()).save_pretrained(tmp_path)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {mode}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "statistics.json").unlink(), "holds no statistics.json: a policy without"),
        (lambda d: (d / "config.json").write_text("{"), "config.json is not JSON"),
        (lambda d: (d / "config.json").write_text('{"format_version": 7}'), "format_version 7"),
        (
            lambda d: (d / "config.json").write_text('{"format_version": 1, "lenght": 3}'),
            "unknown lenght",
        ),
        (
            lambda d: (d / "statistics.json").write_text(json.dumps({"state_mean": [0.0]})),
            "state_mean holds 1 numbers, not 15",
        ),
        (
            lambda d: (d / "model.safetensors").write_bytes(b"\x00" * 100),
            "model.safetensors cannot be read",
        ),
        (
            lambda d: rewrite(d, lambda w: w.pop("action_query.weight")),
            r"model.safetensors does not fit config.json: 1 missing: action_query\.weight",
        ),
        (
            lambda d: rewrite(d, lambda w: w.update(extra=torch.ones(1))),
            "model.safetensors does not fit config.json: 1 unexpected: extra",
        ),
        (
            lambda d: rewrite(d, lambda w: w.update({"action_query.weight": torch.ones(2, 24)})),
            r"action_query\.weight is \(2, 24\), not \(1, 24\)",
        ),
        (
            lambda d: rewrite(d, lambda w: w["action_query.weight"][0, 3:4].fill_(torch.nan)),
            r"model.safetensors holds NaN or infinite in action_query\.weight",
        ),
        (
            lambda d: rewrite(d, lambda w: w["action_query.weight"][0, 3:4].fill_(torch.inf)),
            r"model.safetensors holds NaN or infinite in action_query\.weight",
        ),
        (lambda d: say(d, "statistics", state_std=[1.0] * 14 + [0.0]), r"state_std\[14\] is 0\.0"),
        (lambda d: say(d, "statistics", action_std=[-1.0] * 7), "must be above 0"),
        (
            lambda d: say(d, "statistics", state_mean=[float("nan")] * 15),
            r"state_mean\[0\] is nan; it must be finite",
        ),
        (
            lambda d: say(d, "statistics", state_std=None),
            r"statistics.json: state_std is None, not tuple",
        ),
        (
            lambda d: say(d, "statistics", action_mean=[0.0] * 6 + [None]),
            r"statistics.json: action_mean\[6\] is None, not float",
        ),
        (lambda d: say(d, "config", n_obs_steps="1"), "config.json: n_obs_steps is '1', not int"),
        (lambda d: say(d, "config", n_obs_steps=True), "config.json: n_obs_steps is True, not int"),
        (lambda d: say(d, "config", state="wave"), "state is 'wave', not 'fourier' or 'gr1'"),
        (lambda d: say(d, "config", trunk=3), "config.json: trunk is 3, not TrunkConfig"),
        (
            lambda d: say(d, "config", action={"chunk_size": 10, "temporal_ensemble_coeff": "no"}),
            r"config.json: action: temporal_ensemble_coeff is 'no', not float \| None",
        ),
    ],
)
def test_a_damaged_directory_is_refused_by_name(damage, message, tmp_path):
    make(tiny()).save_pretrained(tmp_path)
    damage(tmp_path)
    with pytest.raises(ValueError, match=message):
        Policy.from_pretrained(tmp_path)


def say(directory: Path, name: str, **values: object) -> None:
    path = directory / f"{name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def rewrite(directory: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(directory / "model.safetensors")
    change(weights)
    save_file(weights, directory / "model.safetensors")


def test_a_place_without_a_policy_is_named():
    with pytest.raises(ValueError, match="no policy at nowhere"):
        Policy.from_pretrained("nowhere")


def test_statistics_are_mean_and_deviation():
    torch.manual_seed(0)
    state, actions = torch.randn(50, 15) * 3 + 1, torch.randn(50, 7)
    state[:, 4] = 2.0
    statistics = Statistics.of(state, actions)
    assert torch.allclose(torch.tensor(statistics.state_mean), state.mean(0), atol=1e-5)
    assert statistics.state_std[4] == 1.0
    assert statistics.frames == 50


@pytest.mark.parametrize(("size", "trainable"), [("small", 2_271_255), ("gr1", 45_987_655)])
def test_the_sizes_are_what_they_claim(size, trainable, project):
    """GR-1's release has 45,988,039 trainable numbers; 384 of them (`wte`) are used nowhere."""
    values = yaml.safe_load((project / "configs" / "policy" / f"{size}.yaml").read_text())
    policy = Policy(build(PolicyConfig, values), Statistics())
    assert sum(p.numel() for p in policy.parameters() if p.requires_grad) == trainable
