"""What a start of a run depended on, for its versions.json."""

import os
import platform
import subprocess
import sys
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from firsthand.cli.schema import flatten
from firsthand.cli.settings import Settings


def versions(command: str, settings: Settings) -> dict[str, Any]:
    """What it takes to make a result again: words, seeds, packages, revision, machine."""
    flat = flatten(settings.resolved)
    torch = sys.modules.get("torch")
    gpu = torch.cuda.get_device_name() if torch and torch.cuda.is_available() else None
    return {
        "command": command,
        "overrides": list(settings.overrides),
        "argv": sys.argv[1:],
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seeds": {k: v for k, v in flat.items() if k.rpartition(".")[2] == "seed"},
        "git": _git_revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "gpu": gpu,
        "packages": {d.name: d.version for d in sorted(metadata.distributions(), key=_name)},
    }


def _name(distribution: metadata.Distribution) -> str:
    return distribution.name.lower()


def _git_revision() -> dict[str, Any] | None:
    """The revision of the checkout that this package runs from, if it runs from one."""
    source = Path(__file__).resolve().parent

    def git(*words: str) -> str:
        command = ["git", "-C", str(source), *words]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=10
        ).stdout

    try:
        if not git("ls-files", Path(__file__).name).strip():
            return None  # installed inside somebody else's checkout
        dirty = bool(git("status", "--porcelain", "--untracked-files=no").strip())
        return {"revision": git("rev-parse", "HEAD").strip(), "dirty": dirty}
    except (OSError, subprocess.SubprocessError):
        return None


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
