"""Learning words from a made-up child's view."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from firsthand.common.errors import UserError
from firsthand.grounding.config import ClipConfig, GroundingConfig, UtteranceConfig, VisionConfig
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.pairs import PairConfig
from firsthand.grounding.train import GroundConfig, ground
from firsthand.policy.modules.image_encoder import imagenet_normalised
from firsthand.training.checkpoint import Checkpoints
from firsthand.training.config import TrainConfig
from firsthand.training.visualize.image_grid import WIDTH

WORDS = ("red", "green", "blue", "yellow")
COLOURS = ((220, 30, 30), (30, 200, 30), (30, 30, 220), (220, 220, 30))
CONFIG = GroundConfig(
    model=GroundingConfig(
        VisionConfig(model="test_resnet", size=32, frozen=False), UtteranceConfig(), width=16
    ),
    pairs=PairConfig(size=32),
    training=TrainConfig(
        steps=24,
        batch_size=8,
        learning_rate=1e-2,
        warmup=2,
        ema=0.0,
        log_every=4,
        validate_every=8,
        checkpoint_every=8,
        precision="fp32",
    ),
)


def make_corpus(root: Path) -> Path:
    """Pictures of a colour with noise, and what is said of them."""
    (root / "train_5fps").mkdir(parents=True)
    random = np.random.default_rng(0)
    for file, count in (("train.json", 40), ("val.json", 12)):
        rows = []
        for i in range(count):
            names = [f"{file[:3]}_{i:03}_{j:02}.jpg" for j in range(2)]
            for name in names:
                noise = random.integers(-30, 30, (32, 32, 3))
                picture = np.clip(np.array(COLOURS[i % 4]) + noise, 0, 255).astype(np.uint8)
                Image.fromarray(picture).save(root / "train_5fps" / name)
            rows.append({
                "utterance": f"look {WORDS[i % 4]}",
                "transcript_filename": "t.csv",
                "video_filename": "v.mp4",
                "utterance_num": i + 1,
                "num_frames": 2,
                "timestamps": [0.0, 0.2],
                "frame_filenames": names,
            })  # fmt: skip
        (root / file).write_text(json.dumps({"data": rows}))
    words = ("<pad>", "<unk>", "<sos>", "<eos>", "look", *WORDS)
    (root / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}))
    return root


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    """A run that nothing interrupts."""
    return ground(CONFIG, corpus, tmp_path_factory.mktemp("run"))


def weights(model: Path) -> dict[str, torch.Tensor]:
    return GroundingModel.from_pretrained(model).state_dict()


def same(one: Path, other: Path) -> bool:
    mine, theirs = weights(one), weights(other)
    return all(torch.equal(value, theirs[name]) for name, value in mine.items())


def test_colours_are_learned(whole):
    model = GroundingModel.from_pretrained(whole.model)
    assert model.config.utterance.words == 9
    pictures = torch.tensor(COLOURS)[:, :, None, None].expand(4, 3, 32, 32) / 255
    tokens, lengths = model.vocabulary.encode(WORDS, ends=False)
    with torch.no_grad():
        seen = model.encode_image(imagenet_normalised(pictures))
        found = model.logits(seen, model.encode_text(tokens, lengths))
    assert found.argmax(dim=1).tolist() == [0, 1, 2, 3]
    assert whole.metrics["val/loss"] < 1.2  # by chance, of eight, 2.1
    assert {"train/image_accuracy", "val/text_entropy"} <= set(whole.metrics)
    assert whole.step == 24


def test_readers_change_nothing(corpus, whole, tmp_path):
    training = replace(CONFIG.training, workers=2)
    again = ground(replace(CONFIG, training=training), corpus, tmp_path)
    assert same(again.model, whole.model)
    assert again.metrics == whole.metrics


def test_a_run_killed_before_its_last_tidying_is_tidied(corpus, whole, tmp_path, monkeypatch):
    """Killed between the last checkpoint's rename and the links: `last` and `best` are read by
    `ground-eval`."""

    class KilledError(BaseException):
        pass

    tidy = Checkpoints._tidy

    def killed(store: Checkpoints, best_step: int | None) -> None:
        if store.newest() == store.path(24):
            raise KilledError
        tidy(store, best_step)

    folder = tmp_path / "checkpoints"
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "_tidy", killed)
        with pytest.raises(KilledError):
            ground(CONFIG, corpus, tmp_path)
    assert (folder / "last").readlink().name == "000016"
    again = ground(CONFIG, corpus, tmp_path, resume=True)
    assert again.taken == 0
    assert (folder / "last").readlink().name == "000024"
    assert same(folder / "best" / "policy", whole.best)
    assert same(folder / "last" / "policy", whole.model)


def stop_at_step_13(patch: pytest.MonkeyPatch, error: type[BaseException]) -> None:
    """Let training raise in its 13th step."""
    taken = 0

    def stop(*_: object) -> None:
        nonlocal taken
        taken += 1
        if taken == 13:
            raise error

    patch.setattr("firsthand.training.logger.Reporter.advance", stop)


def test_a_run_that_stops_goes_on_as_if_it_had_not(corpus, whole, tmp_path, monkeypatch):
    class StopError(Exception):
        pass

    with monkeypatch.context() as patch:
        stop_at_step_13(patch, StopError)
        with pytest.raises(StopError):
            ground(CONFIG, corpus, tmp_path)
    assert not (tmp_path / "checkpoints" / "000024").exists()
    with pytest.raises(UserError, match="holds the checkpoints of an earlier run"):
        ground(CONFIG, corpus, tmp_path)
    other = replace(CONFIG, model=replace(CONFIG.model, temperature=0.1))
    with pytest.raises(UserError, match=r"cannot resume .*: model\.temperature was 0.07"):
        ground(other, corpus, tmp_path, resume=True)
    result = ground(CONFIG, corpus, tmp_path, resume=True)
    assert same(result.model, whole.model)
    assert result.metrics == whole.metrics


def test_lost_pictures_do_not_end_a_run(tmp_path, monkeypatch, capsys):
    """Nor does it matter where it is stopped, or who reads."""
    root = make_corpus(tmp_path / "damaged")
    rows = {
        name: json.loads((root / f"{name}.json").read_text())["data"] for name in ("train", "val")
    }
    for (file, place), content in {
        ("train", 0): None, ("train", 5): b"no picture", ("val", 1): None, ("val", 3): b"GIF89a",
    }.items():  # fmt: skip
        path = root / "train_5fps" / rows[file][place]["frame_filenames"][0]
        path.unlink() if content is None else path.write_bytes(content)
    whole = ground(CONFIG, root, tmp_path / "whole")
    said = capsys.readouterr().out
    assert said.count("another picture is seen") == 4
    assert len(whole.lost) == 2
    assert "No such file or directory" in whole.lost[0]
    with monkeypatch.context() as patch:
        stop_at_step_13(patch, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            ground(CONFIG, root, tmp_path / "stopped")
    training = replace(CONFIG.training, workers=1)
    again = ground(replace(CONFIG, training=training), root, tmp_path / "stopped", resume=True)
    assert same(again.model, whole.model)
    assert again.metrics == whole.metrics


def test_settings_that_do_not_go_together_are_refused(corpus, tmp_path):
    with pytest.raises(UserError, match=r"pairs\.size=16 is not model\.vision\.size=224"):
        GroundConfig(pairs=PairConfig(size=16))
    with pytest.raises(UserError, match=r"pairs\.length=30 is longer than .*=25"):
        GroundConfig(pairs=PairConfig(length=30))
    with pytest.raises(UserError, match="mean nothing to grounding"):
        GroundConfig(training=TrainConfig(rollout_every=5))
    vision = replace(CONFIG.model.vision, weights="nowhere.pth")
    config = replace(CONFIG, model=replace(CONFIG.model, vision=vision))
    with pytest.raises(UserError, match=r"there is no file nowhere\.pth"):
        ground(config, corpus, tmp_path)
    with pytest.raises(UserError, match=r"train_shuffled\.json"):
        ground(replace(CONFIG, learned="train_shuffled.json"), corpus, tmp_path)


@pytest.mark.parametrize("frames", [1, 2])
def test_what_is_heard_is_drawn_while_it_is_learned(tmp_path, frames):
    corpus = make_corpus(tmp_path / "corpus")
    clip = ClipConfig(frames=frames)
    config = replace(
        CONFIG,
        model=replace(CONFIG.model, clip=clip),
        training=replace(CONFIG.training, steps=4, warmup=1, picture_every=2),
    )
    ground(config, corpus, tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    pictures = events.Images("pictures/heard")
    assert [picture.step for picture in pictures] == [2, 4]
    assert pictures[0].width == WIDTH
