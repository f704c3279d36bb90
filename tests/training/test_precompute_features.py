"""Features on disk: made once, read for the right pictures, refused where they are not right."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from firsthand.common.errors import UserError
from firsthand.common.executor import LocalExecutor
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.corpus.features import FeatureFile, StoredFeatures
from firsthand.episodes.episode import Episode
from firsthand.episodes.sampling.mixture import Mixture
from firsthand.episodes.sampling.windows import FrameCacheConfig, Windows
from firsthand.episodes.storage.merge import EpisodeWriter
from firsthand.finetune.recipe import FinetuneConfig, finetune
from firsthand.policy.frozen_features import encode_images, encoder_identity
from firsthand.policy.policy import Policy
from firsthand.pretrain.recipe import window_spec
from firsthand.training.augment import ColorConfig
from firsthand.training.config import TrainConfig
from firsthand.training.distributed import Distributed
from firsthand.training.loader import Embedder, TrainLoader
from firsthand.training.precompute_features import make_features, with_features
from tests.policy.conftest import SEEN, tiny_gr1

CONFIG = replace(tiny_gr1(), obs_stride_s=0.1, horizon_s=0.2, control_hz=10.0)
TRAINING = TrainConfig(
    steps=4, batch_size=3, warmup=0, seed=5, precision="fp32", learning_rate=1e-3, ema=0.0
)
HERE = LocalExecutor(0)


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    torch.manual_seed(0)
    policy = Policy(CONFIG, SEEN).eval()
    policy.save_pretrained(tmp_path / "policy")
    return policy


def record(path: Path, seed: int, splits: tuple[str, ...] = ("train", "valid")) -> Path:
    rng = np.random.default_rng(seed)
    with EpisodeWriter(path) as writer:
        for split in splits:
            frames = {
                "rgb_static": rng.integers(0, 256, (37, 32, 32, 3), dtype=np.uint8),
                "rgb_gripper": rng.integers(0, 256, (37, 160, 160, 3), dtype=np.uint8),
            }
            state = rng.standard_normal((37, 15)).astype(np.float32)
            actions = rng.uniform(-1, 1, (37, 7)).astype(np.float32)
            episode = Episode(frames, 10.0, f"sentence {seed}", state=state, actions=actions)
            writer.add(episode, split)
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus.of([record(tmp_path / "a.h5", 1), record(tmp_path / "b.h5", 2)])


def make(policy: Policy, corpus: Corpus, tmp_path: Path, kind: str = "float32") -> Path:
    return Path(make_features(policy, tmp_path / "policy", corpus, kind, HERE))


def test_every_picture_has_its_own_features(policy, corpus, tmp_path):
    make(policy, corpus, tmp_path)
    sizes = {"rgb_static": 160, "rgb_gripper": 160}
    features = StoredFeatures(corpus, encoder_identity(policy.config, policy.images), sizes)
    for recording, camera in [(0, "rgb_static"), (3, "rgb_gripper")]:
        file, episode = corpus.file(recording)
        for indices in ([0, 1, 2], [31, 32, 33], [36, 5, 5], [7]):
            pictures = torch.from_numpy(file.frames(episode, camera, indices))
            with torch.no_grad():
                wanted = encode_images(
                    policy.config, policy.images, pictures.permute(0, 3, 1, 2), 160
                ).numpy()
            found = features.read(recording, camera, indices)
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_training_step_is_the_same(policy, corpus, tmp_path):
    """Whole batches out of the loader, in the order of training."""
    embed = Embedder(policy.encode_instructions)
    windows = Windows(corpus, window_spec(CONFIG), "train", in_memory=True)
    plain = list(TrainLoader(windows, embed, TRAINING, Distributed(), 0))
    for kind, tolerance in [("float32", 1e-5), ("float16", 4e-3)]:
        where = make(policy, corpus, tmp_path, kind)
        for pool in (None, FrameCacheConfig()):
            opened = Windows(corpus, window_spec(CONFIG), "train", pool=pool)
            if pool is not None:  # another order
                plain = list(TrainLoader(opened, embed, TRAINING, Distributed(), 0))
            fast = list(
                TrainLoader(
                    with_features(opened, policy, TRAINING), embed, TRAINING, Distributed(), 0
                )
            )
            for a, b in zip(plain, fast, strict=True):
                assert b.images == {}
                assert torch.equal(a.future["rgb_static"], b.future["rgb_static"])
                expected = policy(a).scalars()
                assert policy(b).scalars() == pytest.approx(expected, rel=tolerance)
            plain = list(TrainLoader(windows, embed, TRAINING, Distributed(), 0))
        for file in where.iterdir():
            file.unlink()
        where.with_name(f"{where.name}.json").unlink()


def test_what_is_there_is_not_made_again(policy, corpus, tmp_path):
    where = make(policy, corpus, tmp_path)
    first, second = sorted(where.iterdir())
    written, content = first.stat().st_mtime_ns, second.read_bytes()
    second.unlink()
    with pytest.raises(UserError, match="1 of 2 shards have no features of encoder"):
        with_features(Windows(corpus, window_spec(CONFIG)), policy, TRAINING)
    make(policy, corpus, tmp_path)
    assert first.stat().st_mtime_ns == written
    assert second.read_bytes() == content
    with pytest.raises(UserError, match="float32.*float16.*remove it"):
        make(policy, corpus, tmp_path, "float16")


def test_another_encoder_is_named_with_the_one_that_is_there(policy, corpus, tmp_path):
    make(policy, corpus, tmp_path)
    torch.manual_seed(1)
    other = Policy(CONFIG, SEEN)
    with pytest.raises(UserError) as error:
        with_features(Windows(corpus, window_spec(CONFIG)), other, TRAINING)
    assert encoder_identity(policy.config, policy.images) in str(error.value)
    assert encoder_identity(other.config, other.images) in str(error.value)


def test_a_renamed_file_does_not_pass_for_another(policy, corpus, tmp_path):
    where = make(policy, corpus, tmp_path)
    first, second = sorted(where.iterdir())
    os.replace(first, second)
    with pytest.raises(UserError, match=f"of shard {first.stem}, not {second.stem}"):
        FeatureFile(second, where.name, second.stem)
    with pytest.raises(UserError, match=f"of encoder {where.name}, not x"):
        FeatureFile(second, "x")


def test_a_changed_shard_has_no_features(policy, corpus, tmp_path):
    make(policy, corpus, tmp_path)
    record(tmp_path / "b.h5", 3)
    changed = Corpus.of([tmp_path / "a.h5", tmp_path / "b.h5"])
    with pytest.raises(UserError, match=r"1 of 2 shards .* b\.h5 for one|b\.h5"):
        with_features(Windows(changed, window_spec(CONFIG)), policy, TRAINING)


def test_pictures_of_another_size_are_refused(policy, corpus, tmp_path):
    make(policy, corpus, tmp_path)
    with pytest.raises(UserError, match="rgb_static of 160 pixels, the policy looks at 32"):
        StoredFeatures(corpus, encoder_identity(policy.config, policy.images), {"rgb_static": 32})
    with pytest.raises(UserError, match="head none"):
        StoredFeatures(corpus, encoder_identity(policy.config, policy.images), {"head": 32})


def test_changed_pictures_and_features_do_not_go_together(policy, corpus):
    windows = Windows(corpus, window_spec(CONFIG))
    for change in ({"shift": {"rgb_static": 4}}, {"color": ColorConfig(brightness=0.1)}):
        with pytest.raises(UserError, match="unchanged pictures"):
            with_features(windows, policy, replace(TRAINING, **change))


def test_an_encoder_that_learns_is_refused(policy, corpus, tmp_path):
    learns = Policy(replace(CONFIG, images=replace(CONFIG.images, frozen=False)), SEEN)
    with pytest.raises(UserError, match="this one learns"):
        make_features(learns, tmp_path / "other", corpus, "float16", HERE)
    assert not (tmp_path / "other").exists()  # what is refused leaves a run as it was
    with pytest.raises(UserError, match="this one learns"):
        with_features(Windows(corpus, window_spec(CONFIG)), learns, TRAINING)


def test_damaged_features_are_no_numbers(policy, corpus, tmp_path):
    where = make(policy, corpus, tmp_path)
    path = sorted(where.iterdir())[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    windows = with_features(Windows(corpus, window_spec(CONFIG), "train"), policy, TRAINING)
    with pytest.raises(UserError, match="are damaged"):
        [windows[index] for index in range(len(windows))]


def test_values_beyond_half_precision_are_refused(policy, corpus, tmp_path):
    with torch.no_grad():
        policy.images.vit.norm.weight.fill_(1e6)
    policy.save_pretrained(tmp_path / "policy")
    with pytest.raises(UserError, match="too large for float16: use kind=float32"):
        make(policy, corpus, tmp_path, "float16")


def test_every_part_of_a_mixture_has_its_features(policy, corpus, tmp_path):
    (tmp_path / "other").mkdir()
    other = Corpus.of([record(tmp_path / "other" / "c.h5", 7)])
    for part in (corpus, other):
        make(policy, part, tmp_path)
    parts = [Windows(part, window_spec(CONFIG), "train") for part in (corpus, other)]
    mixture = with_features(Mixture(parts, [1.0, 1.0]), policy, TRAINING)
    assert mixture[0].frames == {}
    assert mixture[len(mixture) - 1].features.keys() == {"rgb_static", "rgb_gripper"}


def test_fine_tuning_on_features_ends_where_it_ends_on_pictures(policy, corpus, tmp_path):
    make(policy, corpus, tmp_path)
    ends = []
    for features in (False, True):
        config = FinetuneConfig(
            CONFIG, TRAINING, pretrained=str(tmp_path / "policy"), features=features
        )
        result = finetune(config, corpus, tmp_path / f"run {features}")
        ends.append(Policy.from_pretrained(result.checkpoint / "policy").state_dict())
    for name, weight in ends[0].items():
        torch.testing.assert_close(ends[1][name], weight, rtol=1e-3, atol=1e-4, msg=name)
    moved = ends[0]["action_query.weight"] - policy.state_dict()["action_query.weight"]
    assert moved.abs().max() > 1e-3
