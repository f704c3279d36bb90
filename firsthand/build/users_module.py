"""Modules of the user's: those in the working directory come before installed ones of the name."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def users_module(name: str) -> ModuleType:
    """A module by its dotted name: the one in the working directory, if there is one.

    The working directory is looked in last, so that what is installed stays what it is here and in
    worker processes, which have the same `sys.path`. What is in it under a name that means another
    module elsewhere (`av.py` beside PyAV's `av`) is loaded by its file, under a name of its own.

    Raises:
        ImportError: there is none, or one that it imports is missing.
    """
    here = Path.cwd()
    if str(here) not in sys.path:
        sys.path.append(str(here))
    top, dot, rest = name.partition(".")
    file = next((p for p in (here / top / "__init__.py", here / f"{top}.py") if p.is_file()), None)
    if file is None or _found_in(top, here):
        return importlib.import_module(name)
    alias = f"_working_directory_{top}"
    if alias not in sys.modules:
        _load(alias, file)
    return importlib.import_module(f"{alias}{dot}{rest}")


def _found_in(top: str, folder: Path) -> bool:
    """Whether importing this name finds something in the folder."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    places = [spec.origin or "", *(spec.submodule_search_locations or ())] if spec else []
    return any(Path(place).is_relative_to(folder) for place in places if place)


def _load(alias: str, file: Path) -> None:
    """A module, or a package by its `__init__.py`, under another name."""
    inside = [str(file.parent)] if file.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(alias, file, submodule_search_locations=inside)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[alias]
        raise
