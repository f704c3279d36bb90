"""Of 200 items with one damaged in each way, just the damaged parts are lost, and counted."""

import io
import json

import h5py
import numpy as np
import pytest
from PIL import Image

from firsthand.episodes.convert.convert import ConvertSettings, convert
from firsthand.episodes.formats.calvin.dataset import Calvin
from firsthand.episodes.formats.lerobot.reader import LeRobot
from firsthand.episodes.formats.robomimic.reader import Robomimic

ITEMS, FRAMES = 200, 3
pytestmark = pytest.mark.slow


def png(level, side=6):
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (level, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def losses(source, out):
    """Items lost by name; by unit how many parts are used and lost; where those are."""
    report = convert(source, out, ConvertSettings(held_out=0.0))
    assert report.used + len(report.lost) == report.items == ITEMS
    counts = {part.unit: (part.used, part.lost_count) for part in report.parts}
    return dict(report.lost), counts, [where for part in report.parts for where, *_ in part.lost]


def test_robomimic(tmp_path):
    rewards, cells = np.zeros((ITEMS, FRAMES)), np.empty(FRAMES, object)
    actions = np.zeros((ITEMS, FRAMES, 7))
    rewards[3, 1] = np.nan
    actions[5, 2, 0] = np.inf
    with h5py.File(tmp_path / "all.hdf5", "w") as file:
        controller = {"control_freq": 20, "controller_configs": {"type": "OSC_POSE"}}
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_kwargs": controller})
        for index in range(ITEMS):
            demo = data.create_group(f"demo_{index}")
            demo.attrs["ep_meta"] = json.dumps({"lang": "lift it"}) if index != 7 else "{"
            if index != 9:
                demo["actions"] = actions[index]
            demo["rewards"] = rewards[index]
            demo["obs/wrist_image"] = np.zeros((FRAMES, 6, 6, 3), np.uint8)
            if index == 11:
                demo["obs/front_image"] = np.full((FRAMES, 6, 6, 3), 4000, np.uint16)
                continue
            files = [png(k) if (index, k) != (13, 1) else b"no picture" for k in range(FRAMES)]
            cells[:] = [np.frombuffer(content, np.uint8) for content in files]
            kind = h5py.vlen_dtype(np.uint8)
            demo.create_dataset("obs/front_image", data=cells, dtype=kind)
    lost, counts, where = losses(Robomimic(root=tmp_path / "all.hdf5"), tmp_path / "out")
    assert list(lost) == ["all.hdf5/demo_9"]
    used = ITEMS - 1
    assert counts == {
        "frame": (used * FRAMES - 2, 2),
        "sentence": (used - 1, 1),
        "signal": (used * 4 - 3, 3),
    }
    assert where == [
        "all.hdf5/demo_5: frame 2",
        "all.hdf5/demo_13: frame 1",
        "all.hdf5/demo_7",
        "all.hdf5/demo_3: rewards",
        "all.hdf5/demo_5: recorded_actions",
        "all.hdf5/demo_11: front_image",
    ]


def test_lerobot(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    root, rows = tmp_path / "root", ITEMS * FRAMES
    frame, episode = np.tile(np.arange(FRAMES), ITEMS), np.repeat(np.arange(ITEMS), FRAMES)
    times, task = frame / 10, np.zeros(rows, int)
    force = [[0.0, 1.0] for _ in range(rows)]
    pictures = [{"bytes": png(index % 250), "path": ""} for index in range(rows)]
    force[3 * FRAMES] = [np.nan, 1.0]
    force[5 * FRAMES + 1] = [1.0]
    pictures[7 * FRAMES + 2] = {"bytes": b"no picture", "path": ""}
    task[9 * FRAMES : 10 * FRAMES] = 4
    times[11 * FRAMES + 1] = 7
    columns = {
        "observation.images.front": pictures, "force": force, "timestamp": times,
        "frame_index": frame, "episode_index": episode, "index": np.arange(rows),
        "task_index": task,
    }  # fmt: skip
    kinds = {"observation.images.front": ("image", [6, 6, 3]), "force": ("float64", [2])}
    features = {
        n: {"dtype": kinds.get(n, ("int64",))[0], "shape": kinds.get(n, (0, [1]))[1], "names": None}
        for n in columns
    }
    features["timestamp"]["dtype"] = "float64"
    info = {
        "codebase_version": "v3.0", "fps": 10, "total_episodes": ITEMS, "features": features,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    }  # fmt: skip
    listed = {
        "episode_index": np.arange(ITEMS), "length": np.full(ITEMS, FRAMES),
        "data/chunk_index": np.zeros(ITEMS, int), "data/file_index": np.zeros(ITEMS, int),
    }  # fmt: skip
    for folder in ("meta/episodes/chunk-000", "data/chunk-000"):
        (root / folder).mkdir(parents=True)
    (root / "meta/info.json").write_text(json.dumps(info))
    parquet.write_table(
        pyarrow.table({"task_index": [0], "task": ["lift it"]}), root / "meta/tasks.parquet"
    )
    parquet.write_table(pyarrow.table(listed), root / "meta/episodes/chunk-000/file-000.parquet")
    parquet.write_table(pyarrow.table(columns), root / "data/chunk-000/file-000.parquet")
    lost, counts, where = losses(LeRobot(root=root), tmp_path / "out")
    assert list(lost) == ["episode_000011"]
    used = ITEMS - 1
    assert counts == {
        "frame": (used * FRAMES - 1, 1),
        "sentence": (used - 1, 1),
        "signal": (used * 2 - 2, 2),
    }
    assert where == [
        "episode_000007: frame 2", "episode_000009: frames 0 to 2",
        "episode_000003: force", "episode_000005: force",
    ]  # fmt: skip


def test_calvin(tmp_path):
    root = tmp_path / "training"
    (root / "lang_annotations").mkdir(parents=True)
    frames = ITEMS * FRAMES
    arrays = {
        "rgb_static": np.zeros((4, 4, 3), np.uint8), "rgb_gripper": np.zeros((4, 4, 3), np.uint8),
        "robot_obs": np.zeros(15), "rel_actions": np.zeros(7), "actions": np.zeros(7),
        "scene_obs": np.zeros(24),
    }  # fmt: skip
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    for index in range(frames):
        (root / f"episode_{index:07d}.npz").write_bytes(buffer.getvalue())
    (root / f"episode_{3 * FRAMES + 1:07d}.npz").unlink()
    (root / f"episode_{5 * FRAMES:07d}.npz").write_bytes(buffer.getvalue()[:-40])
    nan = arrays | {"robot_obs": np.full(15, np.nan)}
    np.savez(root / f"episode_{7 * FRAMES + 2:07d}.npz", **nan)
    np.savez(
        root / f"episode_{9 * FRAMES:07d}.npz",
        **{name: values for name, values in arrays.items() if name != "rgb_gripper"},
    )
    np.save(root / "ep_start_end_ids.npy", np.array([[0, frames - 1]]))
    windows = [(k * FRAMES, (k + 1) * FRAMES) for k in range(ITEMS)]
    texts = [f"lift block {k}" for k in range(ITEMS)]
    windows[11], texts[13] = (frames + 40, frames + 44), None
    said = {"language": {"ann": texts, "task": ["lift"] * ITEMS}, "info": {"indx": windows}}
    np.save(root / "lang_annotations/auto_lang_ann.npy", np.array(said, object))
    lost, counts, where = losses(Calvin(root=root), tmp_path / "out")
    assert set(lost) == {f"training/{frames + 40:07d}-{frames + 43:07d}", "training/annotation 13"}
    used = ITEMS - 2
    assert counts == {"frame": (used * FRAMES - 4, 4), "signal": (used * 4, 0)}
    assert [w.rpartition(": ")[2] for w in where] == [
        "frame 10",
        "frame 15",
        "frame 23",
        "frame 27",
    ]
