"""What to say of a key that no command has."""

from collections.abc import Iterable

from firsthand.cli.aliases import KEYS
from firsthand.common.suggestions import closest

DEVICES = ("device", "gpu", "gpus", "cuda", "num_gpus")
ALSO_CALLED = {  # by other programs
    "batch": "batch_size",
    "bs": "batch_size",
    "epochs": "steps",
    "iterations": "steps",
    "logdir": "run",
    "lr": "learning_rate",
    "max_steps": "steps",
    "num_steps": "steps",
    "num_workers": "workers",
    "out": "run",
    "output": "run",
    "output_dir": "run",
    "save_dir": "run",
    "total_steps": "steps",
}
ALSO_CALLED |= {  # before 0.2.0
    old.rpartition(".")[2]: new.rpartition(".")[2] for old, new in KEYS.items()
}


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The message for a key that does not exist: with the one of the same last part that is most
    like it, or the one beside it, or anywhere, that is spelt almost so."""
    known = list(known)
    parent, _, last = key.rpartition(".")
    if last in DEVICES:
        return f"unknown key {key!r}: a GPU is used where there is one (CUDA_VISIBLE_DEVICES)"
    last = ALSO_CALLED.get(last, last)
    match = closest(key, [k for k in known if _last(k) == last], 0.0)
    for options in ([k for k in known if k.rpartition(".")[0] == parent], known):
        if match is None and (near := closest(last, map(_last, options), 0.65)):
            match = next(k for k in options if _last(k) == near)
    return f"unknown key {key!r}" + (f"; did you mean {match!r}?" if match else "")


def _last(key: str) -> str:
    return key.rpartition(".")[2]
