import io
import json

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from firsthand.training.logger import JsonLinesLogger, TensorBoardLogger, open_logs
from firsthand.training.visualize.gif import Film


def read(folder):
    return EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()


def test_everything_arrives_in_the_event_file(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    with open_logs(tmp_path, 0, write=True) as logs:
        logs.scalars({"train/loss": 0.25}, 3)
        logs.image("pictures/strip/rgb_static", picture, 4)
        logs.text("text/config", "| a | b |", 0)
    events = read(tmp_path / "tensorboard")
    assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [(3, 0.25)]
    image = events.Images("pictures/strip/rgb_static")[0]
    stored = np.asarray(Image.open(io.BytesIO(image.encoded_image_string)))
    assert np.array_equal(stored, picture)
    assert events.Tags()["tensors"] == ["text/config/text_summary"]
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {"step": 3, "train/loss": 0.25}


def test_a_gif_comes_back_frame_by_frame(tmp_path):
    frames = np.zeros((40, 24, 32, 3), np.uint8)
    for t in range(40):
        frames[t, :, : t * 32 // 40] = (250, 40, 40)
        frames[t, t % 24] = (30, 60, 240)
    logger = TensorBoardLogger(tmp_path, 0)
    logger.film("rollout/video", Film(frames, 10.0), 7)
    logger.close()
    event = read(tmp_path).Images("rollout/video")[0]
    assert (event.step, event.width, event.height) == (7, 32, 24)
    gif = Image.open(io.BytesIO(event.encoded_image_string))
    assert gif.n_frames == 40
    assert gif.info["duration"] == 100
    for t in range(40):
        gif.seek(t)
        error = np.abs(np.asarray(gif.convert("RGB")).astype(int) - frames[t]).mean()
        assert error < 6


def test_lines_after_the_resumed_step_and_half_lines_vanish(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "a": 0.1}\n{"step": 2, "a": 0.2}\n{"step": 3, "a": 0.3}\n{"st')
    logger = JsonLinesLogger(path, done=2)
    logger.scalars({"a": 0.35}, 3)
    logger.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"step": 1, "a": 0.1}, {"step": 2, "a": 0.2}, {"step": 3, "a": 0.35}]


def test_lines_of_before_get_today_s_tags(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "held_out/loss": 0.1}\n{"step": 2, "train/loss": 0.2}\n')
    JsonLinesLogger(path, done=2).close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"step": 1, "val/loss": 0.1}, {"step": 2, "train/loss": 0.2}]


def test_tensorboard_shows_each_step_once_after_a_resume(tmp_path):
    for done, steps in ((0, range(1, 8)), (4, range(5, 10))):
        logger = TensorBoardLogger(tmp_path, done)
        for step in steps:
            logger.scalars({"train/loss": float(step + 100 * done)}, step)
        logger.close()
    shown = [(e.step, e.value) for e in read(tmp_path).Scalars("train/loss")]
    assert shown == [(s, float(s)) for s in range(1, 5)] + [(s, 400.0 + s) for s in range(5, 10)]


def test_silent_processes_write_nothing(tmp_path):
    with open_logs(tmp_path / "run", 0, write=False) as logs:
        logs.scalars({"a": 1.0}, 1)
    assert not (tmp_path / "run").exists()
