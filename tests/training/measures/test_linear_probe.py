import dataclasses

import numpy as np
import pytest
import torch

from firsthand.common.errors import UserError
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.ground_truth import NAMED
from firsthand.episodes.sampling.mixture import Part
from firsthand.episodes.storage.merge import EpisodeWriter
from firsthand.policy.config import CameraConfig, ImageConfig, PolicyConfig, TrunkConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics
from firsthand.training.loader import Embedder
from firsthand.training.measures import linear_probe
from firsthand.training.measures.linear_probe import find_probe, probe_metrics, representations
from firsthand.training.precision import MixedPrecision
from tests.training.measures.conftest import tabletop

CPU = MixedPrecision(torch.device("cpu"), torch.float32)
CAMERAS = ("rgb_static", "rgb_gripper")


@pytest.fixture
def parts(tmp_path):
    def made(*episodes, name="a", split="valid"):
        with EpisodeWriter(tmp_path / f"{name}.hdf5") as writer:
            for episode in episodes:
                writer.add(episode, split)
        return [Part(Corpus.of([tmp_path / f"{name}.hdf5"]))]

    return made


def policy(frames: int = 0) -> Policy:
    torch.manual_seed(0)
    config = PolicyConfig(
        cameras=(CameraConfig("rgb_static", 32), CameraConfig("rgb_gripper", 16)),
        images=ImageConfig(width=16),
        trunk=TrunkConfig(width=24, depth=1, heads=2),
    )
    return Policy(config, Statistics(frames=frames)).eval()


@pytest.fixture(scope="module")
def embed():
    return Embedder(policy().encode_instructions)


def test_a_random_encoder_finds_blocks_and_knows_no_names(parts, embed):
    probe = find_probe(parts(*map(tabletop, range(150))), CAMERAS, "valid")
    assert probe is not None
    assert probe.camera == "rgb_static"
    found = {one.thing: one for one in probe(policy(), embed, CPU)}
    assert found.keys() == {"red", "blue", NAMED}
    for one in found.values():
        assert one.error.keys() == {"grid", "tokens", "action_query"}
        assert (one.frames, one.recordings) == (150, 150)
        assert 7 < one.mean < 14
    assert found["red"].error["grid"] < 2
    assert found["blue"].error["grid"] < 2
    assert found[NAMED].error["grid"] > 0.8 * found[NAMED].mean  # it does not say which is meant
    metrics = probe_metrics([found[NAMED]])
    assert metrics["probe/named/mean"] == found[NAMED].mean
    assert metrics["probe/named/tokens"] == found[NAMED].error["tokens"]


def test_a_planted_code_is_found_and_noise_is_not(parts, embed, monkeypatch):
    """The action query says where the named block is; the tokens say nothing."""
    probe = find_probe(parts(*map(tabletop, range(150))), CAMERAS, None)
    assert probe is not None
    mixing = torch.randn(2, 40, generator=torch.Generator().manual_seed(1))
    noise = torch.Generator().manual_seed(2)
    places = iter(torch.from_numpy(probe.places[NAMED]).float().split(64))

    def planted(policy, batch, camera):
        where = next(places)
        code = 30 * where @ mixing + 0.1 * torch.randn(len(where), 40, generator=noise)
        tokens = torch.randn(len(where), 3, 20, generator=noise)
        return {"tokens": tokens, "action_query": code}

    monkeypatch.setattr(linear_probe, "representations", planted)
    found = {one.thing: one for one in probe(policy(), embed, CPU)}[NAMED]
    assert found.error["action_query"] < 0.3
    assert found.error["tokens"] > 0.9 * found.mean


def test_frames_of_a_recording_share_a_fold(parts, monkeypatch):
    probe = find_probe(parts(*(tabletop(i, length=30) for i in range(40))), CAMERAS, None, 160)
    assert probe is not None
    assert np.unique(probe.recordings, return_counts=True)[1].tolist() == [4] * 40
    seen = []
    monkeypatch.setattr(linear_probe, "folds_of", lambda groups: seen.append(groups) or groups % 5)
    read = {"grid": np.random.default_rng(0).standard_normal((160, 4))}
    assert probe._read_out("red", read).recordings == 40
    assert np.array_equal(seen[0], probe.recordings)


def test_what_is_read_is_what_the_policy_computes(parts, embed):
    probe = find_probe(parts(*(tabletop(i, state=True) for i in range(100))), CAMERAS, None)
    assert probe is not None
    one = policy(frames=9)
    batch = linear_probe.unshifted(probe.windows[:5], embed, CPU.device)
    read = representations(one, batch, "rgb_static")
    tokens, _ = one.embed_observation(batch)
    layout = one.layout_of(batch, actions=True, futures=("rgb_static",))
    expected = one.run_transformer(tokens, batch.valid, layout)["action"]
    torch.testing.assert_close(read["action_query"], expected)
    assert read["tokens"].shape == (5, 1, 8, 24)
    grid = one.images(batch.images["rgb_static"][:, 0], batch.instruction).grid
    torch.testing.assert_close(read["grid"].mean((2, 3)), grid.mean((2, 3)), atol=0.1, rtol=0)


@pytest.mark.parametrize(("frames", "shown"), [(0, False), (9, True)])
def test_a_state_is_shown_to_who_has_learned_from_states(parts, embed, monkeypatch, frames, shown):
    probe = find_probe(parts(*(tabletop(i, state=True) for i in range(100))), CAMERAS, None)
    assert probe is not None
    states = []
    real = representations

    def spied(policy, batch, camera):
        states.append(batch.state is not None)
        return real(policy, batch, camera)

    monkeypatch.setattr(linear_probe, "representations", spied)
    probe(policy(frames), embed, CPU)
    assert set(states) == {shown}


def test_recordings_without_a_state_make_all_go_without(parts):
    some = [tabletop(i, state=i % 2 == 0) for i in range(100)]
    probe = find_probe(parts(*some), CAMERAS, None)
    assert probe is not None
    assert {window.state is None for window in probe.windows} == {True}


def test_who_says_nothing_has_no_probe_and_too_little_is_named(parts):
    assert find_probe(parts(*(tabletop(i, known=False) for i in range(3))), CAMERAS, None) is None
    few = parts(*map(tabletop, range(20)), name="few")
    with pytest.raises(UserError, match="known in 20 frames of 20 recordings; .* needs 100 frames"):
        find_probe(few, CAMERAS, "valid")
    assert find_probe(few, CAMERAS, "train") is None


def test_cameras_that_some_recordings_lack_are_not_read(parts):
    both = [
        dataclasses.replace(e, frames={**e.frames, "rgb_gripper": e.frames["rgb_static"]})
        for e in map(tabletop, range(100))
    ]
    some = parts(*both, *(tabletop(i) for i in range(100, 110)))
    probe = find_probe(some, ("rgb_gripper", "rgb_static"), None)
    assert probe is not None
    assert probe.camera == "rgb_static"
    with pytest.raises(UserError, match="no camera of rgb_gripper is in all of the recordings"):
        find_probe(some, ("rgb_gripper",), None)
