"""The original simulator's class, imported from a user's checkout into this process.

Only what drawing and physics need: no tacto, no pyhash, no calvin_agent, and gymnasium in the place
of gym where that is not installed.
"""

import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from firsthand.common.errors import UserError
from firsthand.envs.calvin.checkout import Checkout

_PACKAGES = {  # what calvin_env imports: module and the package it is in
    "cv2": "opencv-python-headless",
    "git": "gitpython",
    "hydra": "hydra-core",
    "omegaconf": "omegaconf",
    "quaternion": "numpy-quaternion",
    "scipy": "scipy",
}


def simulator_class(checkout: Checkout) -> type[Any]:
    """The checkout's `PlayTableSimEnv`, made safe to be dropped: the original disconnects
    whichever world has its number by then.

    Raises:
        UserError: packages are missing, or another checkout is loaded already.
    """
    missing = [package for name, package in _PACKAGES.items() if not _installed(name)]
    if missing:
        raise UserError(
            f"calvin_env needs Python packages that are not installed: {', '.join(missing)}; "
            f"install them with: pip install {' '.join(missing)}"
        )
    load_package(checkout)
    with _gymnasium_as_gym(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its age: it was written for other versions
        module = importlib.import_module("calvin_env.envs.play_table_env")
    # It asks git at every start, and fails outside of a work tree.
    module.get_git_commit_hash = lambda path: checkout.revision  # pyright: ignore

    class Simulator(module.PlayTableSimEnv):
        def initialize_bullet(self, *settings: Any) -> int:
            with _without_output():  # PyBullet prints the arguments it is connected with
                return super().initialize_bullet(*settings)

        def close(self) -> None:
            if self.ownsPhysicsClient:
                self.ownsPhysicsClient = False
                self.p.disconnect()

        def __del__(self) -> None:
            pass

    return Simulator


@contextmanager
def _without_output() -> Iterator[None]:
    """Drop what is written to stdout, also by compiled code."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _installed(module: str) -> bool:
    return module in sys.modules or importlib.util.find_spec(module) is not None


def load_package(checkout: Checkout) -> None:
    """Makes `calvin_env` importable without a change of sys.path, where other folders of the
    checkout would be found too."""
    folder = (checkout.root / "calvin_env").resolve()
    loaded = sys.modules.get("calvin_env")
    if loaded is not None:
        if list(loaded.__path__) != [str(folder)]:
            raise UserError(
                f"this process has loaded calvin_env from {list(loaded.__path__)[0]}: "
                f"use {folder} in another process"
            )
        return
    spec = importlib.util.spec_from_file_location(
        "calvin_env", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["calvin_env"] = package
    spec.loader.exec_module(package)


@contextmanager
def _gymnasium_as_gym() -> Iterator[None]:
    """While calvin_env is imported, `import gym` finds gymnasium if gym is not installed."""
    if _installed("gym"):
        yield
        return
    import gymnasium
    import gymnasium.utils.seeding

    aliases = {
        "gym": gymnasium,
        "gym.utils": gymnasium.utils,
        "gym.utils.seeding": gymnasium.utils.seeding,
    }
    sys.modules.update(aliases)
    try:
        yield
    finally:
        for name in aliases:
            del sys.modules[name]
