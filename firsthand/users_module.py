"""Modules of the user's, beside which may lie files that are called as packages of ours are."""

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from firsthand.own_path import OURS


def users_module(name: str) -> ModuleType:
    """A module by its dotted name: the one in the working directory, if there is one.

    The working directory is looked in last, so that our packages stay what they are here and in
    worker processes, which have the same `sys.path`. What is in it under a name that means another
    module elsewhere is loaded by its file, under a name of its own.

    Raises:
        ImportError: there is none, or one that it imports is missing.
    """
    here = Path.cwd()
    if str(here) not in sys.path:
        sys.path.append(str(here))
    top, dot, rest = name.partition(".")
    file = next((p for p in (here / top / "__init__.py", here / f"{top}.py") if p.is_file()), None)
    folder = here / top if (here / top).is_dir() else None
    if (file is None and (folder is None or top not in OURS)) or _found_in(top, here):
        return importlib.import_module(name)
    alias = f"_working_directory_{top}"
    if alias not in sys.modules:
        _load(alias, file, folder)
    try:
        return importlib.import_module(f"{alias}{dot}{rest}")
    except ImportError as error:
        if (taken := (error.name or "").partition(".")[0]) in OURS:
            error.msg += f"; {taken} is a package of firsthand's: import yours relatively"
        raise


def _found_in(top: str, folder: Path) -> bool:
    """Whether importing this name finds something in the folder."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    places = [spec.origin or "", *(spec.submodule_search_locations or ())] if spec else []
    return any(Path(place).is_relative_to(folder) for place in places if place)


def _load(alias: str, file: Path | None, folder: Path | None) -> None:
    """A module, a package, or a folder without an `__init__.py`, under another name."""
    inside = [str(folder)] if folder is not None and (not file or file.parent == folder) else None
    spec = importlib.util.spec_from_file_location(alias, file, submodule_search_locations=inside)
    if file is None:
        spec = ModuleSpec(alias, None, is_package=True)
        spec.submodule_search_locations = inside
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module
    try:
        if spec.loader is not None:
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[alias]
        raise
