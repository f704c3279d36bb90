"""What an evaluation leaves in TensorBoard."""

import io

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from firsthand.build.evaluation_board import show
from firsthand.envs.evaluation.summary import ChainResults, TaskResults
from firsthand.envs.evaluation.video import write_video
from firsthand.training.visualize.image_grid import WIDTH


def record(number, success, video=None):
    tasks = ["open_drawer", "turn_on_led"]
    subtasks = [{"task": task, "success": success, "grasp_error": None} for task in tasks]
    solved = 2 * success
    return {"index": number, "success": success, "solved": solved, "subtasks": subtasks,
            "tasks": tasks, "video": video}  # fmt: skip


def board(tmp_path):
    frames = [np.full((40, 60, 3), 20 * n, np.uint8) for n in range(10)]
    records = []
    for number in range(8):
        video = f"videos/{number}.mp4"
        write_video(tmp_path / video, frames, 10.0)
        records.append(record(number, number % 2 == 0, video))
    records = tuple(records)
    show({"tasks": TaskResults(records), "chains": ChainResults(records)}, tmp_path)
    return EventAccumulator(str(tmp_path / "tensorboard"), {"images": 0}).Reload()


def test_one_number_a_kind_and_pictures_after_those_of_training(tmp_path):
    tags = board(tmp_path).Tags()
    assert sorted(tags["scalars"]) == ["trials/average_length", "trials/success"]
    assert sorted(tags["tensors"]) == ["trials/chains/text_summary", "trials/tasks/text_summary"]
    assert all(tag > "train/~" for kind in ("scalars", "images") for tag in tags[kind])


def test_two_successes_and_two_failures_are_shown_as_long_as_they_took(tmp_path):
    events = board(tmp_path)
    films = [tag for tag in events.Tags()["images"] if "success" in tag or "failure" in tag]
    assert len(films) == 8
    gif = Image.open(io.BytesIO(events.Images("trials/tasks_success/1")[0].encoded_image_string))
    assert (gif.format, gif.n_frames, gif.info["duration"]) == ("GIF", 10, 100)


def test_intervals_are_as_wide_as_a_card(tmp_path):
    events = board(tmp_path)
    for kind in ("tasks", "chains"):
        assert events.Images(f"trials/{kind}")[0].width == WIDTH


def test_a_second_start_replaces_what_the_first_has_shown(tmp_path):
    board(tmp_path)
    assert len(board(tmp_path).Scalars("trials/success")) == 1


def test_without_films_there_are_none(tmp_path):
    deleted = record(1, False, "videos/deleted.mp4")  # to save room, say
    show({"tasks": TaskResults((record(0, True), deleted))}, tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert events.Tags()["images"] == ["trials/tasks"]
