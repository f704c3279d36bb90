"""Imported first by the command line: our packages before others of the same names.

A robot-learning project often has folders or files called `envs`, `policy` or `training`. With
`PYTHONPATH=.` and `python -m firsthand` the working directory stands before what is installed; it
moves behind our packages, here and so in every worker process.
"""

import sys
from pathlib import Path

OURS = ("envs", "episodes", "finetune", "policy", "pretrain", "training")
ROOT = Path(__file__).resolve().parent.parent


def put_first() -> None:
    """Move what would hide our packages behind them on `sys.path`."""
    root = str(ROOT)
    if not any(_is_root(entry) for entry in sys.path):
        sys.path.append(root)  # an editable installation may find them in another way
    before = sys.path[: next(i for i, entry in enumerate(sys.path) if _is_root(entry))]
    hiding = [entry for entry in before if _hides(Path(entry))]
    sys.path[:] = [entry for entry in sys.path if entry not in hiding] + hiding


def _is_root(entry: str) -> bool:
    return Path(entry).resolve() == ROOT


def _hides(folder: Path) -> bool:
    return any((folder / name).is_dir() or (folder / f"{name}.py").is_file() for name in OURS)


put_first()
