"""A user's checkout of calvin_env, CALVIN's original simulator: is it one, which, how configured.

Nothing of it is in this project. It is read where it lies and never written to.
"""

import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from firsthand.common.errors import UserError

MAIN = "797142c588c21e76717268b7b430958dbd13bf48"  # calvin_env's own newest code
PINNED = "1431a46bd36bde5903fb6345e68b5ccc30def666"  # what mees/calvin clones recursively
KNOWN = {
    MAIN: None,
    PINNED: "after a reset with the LED on, the button has to be pressed twice to turn it off",
}
UNKNOWN_REVISION = "unknown"
_CLONE = "git clone https://github.com/mees/calvin_env"
_FILES = ("calvin_env/envs/play_table_env.py", "conf/config_data_collection.yaml", "data")
_GROUPS = ("cameras", "env", "robot", "scene", "tasks")


@dataclass(frozen=True)
class Checkout:
    """The folder `root` with calvin_env's code, configuration and meshes.

    Raises:
        UserError: it is not such a folder; says what to do.
    """

    root: Path

    def __post_init__(self) -> None:
        missing = [name for name in _FILES if not (self.root / name).exists()]
        if not missing:
            return
        inner = self.root / "calvin_env"
        if all((inner / name).exists() for name in _FILES):
            advice = f"use {inner}"
        elif inner.is_dir() and not any(inner.iterdir()):
            advice = f"fetch the submodule (git -C {self.root} submodule update --init calvin_env)"
            advice += f" and use {inner}"
        else:
            advice = f"get one with: {_CLONE}"
        raise UserError(
            f"{self.root} is no checkout of calvin_env: it lacks {missing[0]}; {advice}"
        )

    @cached_property
    def revision(self) -> str:
        """The git commit that is checked out, or "unknown"."""
        top = self._git("rev-parse", "--show-toplevel")
        if top is None or Path(top).resolve() != self.root.resolve():
            return UNKNOWN_REVISION  # a commit of some repository around it says nothing
        return self._git("rev-parse", "HEAD") or UNKNOWN_REVISION

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What to know before comparing results with those of others; kept with the results."""
        if self.revision == UNKNOWN_REVISION:
            return (f"the revision of calvin_env is unknown: {self.root.name} is no git work tree",)
        found = []
        if self.revision not in KNOWN:
            found.append(
                f"calvin_env {self.revision[:7]} is neither {MAIN[:7]} nor {PINNED[:7]}: "
                "published results come from one of those"
            )
        elif quirk := KNOWN[self.revision]:
            found.append(f"calvin_env {self.revision[:7]}: {quirk}")
        if changed := self._git("diff", "HEAD", "--name-only"):
            found.append("calvin_env has local changes: " + ", ".join(changed.split()))
        return tuple(found)

    def _git(self, *words: str) -> str | None:
        """What git prints, or None where it fails or is not installed."""
        try:
            done = subprocess.run(
                ["git", "-C", str(self.root), *words], capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    def config(self, scene: str) -> Any:
        """The checkout's own configuration for a scene, A to D, with both cameras, as a DictConfig.

        The YAML files are put together here, since Hydra's own composition needs plug-ins and a
        state of the whole process.

        Raises:
            UserError: a file is missing or the scene unknown.
        """
        chosen = {"scene": f"calvin_scene_{scene}", "cameras": "static_and_gripper"}
        config = _compose(self.root / "conf" / "config_data_collection.yaml", chosen, _GROUPS)
        config.data_path = str((self.root / "data").resolve())
        config.use_vr = False
        return config


def _compose(
    file: Path, chosen: dict[str, str] | None = None, groups: tuple[str, ...] | None = None
) -> Any:
    """A YAML file over all that its `defaults` name: `option`, `group: option` or
    `group@key: option`, relative to its folder."""
    from omegaconf import DictConfig, OmegaConf

    if not file.is_file():
        raise UserError(f"{file} is missing: is the checkout of calvin_env complete?")
    config = OmegaConf.load(file)
    assert isinstance(config, DictConfig)
    parts = []
    for entry in config.pop("defaults", []):
        if isinstance(entry, str):
            parts.append(_compose(file.with_name(f"{entry}.yaml")))
            continue
        ((name, option),) = entry.items()
        group, _, key = str(name).partition("@")
        if group.startswith("override ") or (groups and group not in groups):
            continue
        option = (chosen or {}).get(group, option)
        part = _compose(file.parent / group / f"{option}.yaml")
        parts.append(OmegaConf.create({key or group: part}))
    return OmegaConf.merge(*parts, config)
