"""Reads and edits copies of tests/data/calvin/task_D_D."""

import shutil

import numpy as np

from firsthand.episodes.convert.convert import ConvertSettings, convert
from firsthand.episodes.formats.calvin.dataset import Calvin

WINDOWS = [(1, 6, "grasp the drawer handle, then open it"), (6, 10, "pick up the red block"),
           (0, 4, "slide the pink block to the left")]  # fmt: skip


def frame(folder, index):
    with np.load(folder / f"episode_{index:07d}.npz") as arrays:
        return dict(arrays)


def annotate(folder, rows):
    windows, texts, tasks = zip(*rows, strict=True)
    table = {
        "language": {"ann": list(texts), "task": list(tasks), "emb": np.zeros((len(rows), 1, 384))},
        "info": {"episodes": [], "indx": list(windows)},
    }
    np.save(folder / "lang_annotations" / "auto_lang_ann.npy", np.array(table, object))


def losses(root, **settings):
    """By unit, how many parts are used and lost."""
    out = root.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    settings = ConvertSettings(held_out=0.0, max_lost=1.0), Calvin(root=root, **settings)
    return {p.unit: (p.used, p.lost_count) for p in convert(settings[1], out, settings[0]).parts}


def change(folder, indices, **values):
    """Put arrays into frames, None takes one away."""
    for index in indices:
        arrays = frame(folder, index) | values
        arrays = {key: value for key, value in arrays.items() if value is not None}
        np.savez(folder / f"episode_{index:07d}.npz", **arrays)
