"""What lies in a folder that is nothing of ours: other people's datasets, several runs."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firsthand.build import datasets as sources
from firsthand.cli.console import say, table
from firsthand.cli.run_dir import VERSIONS
from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Listing
from firsthand.policy.checkpoints.aliases import today_tags

_DEEP = 3  # levels below a folder on which runs are looked for: runs, sweeps, studies
_NAMED = 10  # lines about oddities that are printed
_SIGNS = {  # what is in the folder of a dataset: the first that fits says which it is
    "lerobot": ("meta/info.json",),
    "saycam": ("train.json", "train_5fps"),
    "calvin": ("training/ep_start_end_ids.npy",),
    "ego4d": ("ego4d.json",),
    "epic": ("EPIC_100_train.csv",),
}


def runs_below(folder: Path) -> list[Path]:
    """The runs in a folder, those of sweeps and studies too, by name."""
    found, level = [], [folder]
    for _ in range(_DEEP):
        below = [path for parent in level for path in _folders(parent)]
        found += [path for path in below if (path / VERSIONS).is_file()]
        level = [path for path in below if not (path / VERSIONS).is_file()]
    return sorted(found)


def _folders(parent: Path) -> list[Path]:
    """The folders in a folder; none in one that may not be read, which holds no run of ours."""
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir())
    except OSError:
        return []


def say_runs(folder: Path, runs: list[Path]) -> None:
    """A line a run: what made it, when, and what came of it."""
    rows = []
    for run in runs:
        try:
            first = json.loads((run / VERSIONS).read_text())[0]
            made = (first["command"].replace("_", " "), first["started"][:16].replace("T", " "))
        except (ValueError, LookupError, TypeError):
            made = ("damaged", "")
        rows.append((run.relative_to(folder), *made, headline(run)))
    table(f"{len(runs)} runs in {folder}", ("run", "command", "started", ""), rows)


def headline(run: Path) -> str:
    """The figure that one asks of a run first; empty where there is none yet."""
    for kind, figure in (("chains", "average_length"), ("tasks", "success")):
        try:
            found = json.loads((run / f"{kind}.summary.json").read_text())
            value = found[figure]["value"]
        except (OSError, ValueError, LookupError, TypeError):
            continue
        return f"average length {value:.2f}" if kind == "chains" else f"{value:.1%} of tasks"
    try:
        lines = (run / "metrics.jsonl").read_text().splitlines()
        last = [row for row in map(today_tags, map(json.loads, lines)) if "val/loss" in row][-1]
        return f"held-out loss {last['val/loss']:.4g} at step {last['step']}"
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def dataset_in(folder: Path) -> tuple[str, Listing] | None:
    """The dataset of others that lies in a folder: what `source=` calls it, and what it holds."""
    for name in (*_signed(folder), "videos"):
        source: Any = sources.CHOICES[name](root=folder)
        try:
            listing = source.listing()
        except UserError:
            continue
        if listing.items:
            return name, listing
    return None


def _signed(folder: Path) -> Iterator[str]:
    for name, signs in _SIGNS.items():
        if all((folder / sign).exists() for sign in signs):
            yield name


def say_dataset(folder: Path, name: str, listing: Listing) -> None:
    """How much it holds, what is odd about it, and the command that makes it usable."""
    megabytes = sum(item.megabytes for item in listing.items)
    lost = f", {len(listing.lost)} that cannot be used" if listing.lost else ""
    say(f"{folder}: {name}, {len(listing.items):,} items of about {megabytes:,.1f} MB{lost}")
    lines = [*(f"  {item}: {why}" for item, why in listing.lost), *listing.notes]
    for line in lines[:_NAMED]:
        say(line)
    if lines[_NAMED:]:
        say(f"and {len(lines) - _NAMED} lines more, which conversion prints")
    root = shlex.quote(f"root={folder}")
    say(f"to use it: firsthand convert source={name} {root} out=corpora/{folder.resolve().name}")
