"""The plan of the house (docs/architecture.md): which package may import which, and its size."""

import ast
import importlib
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "common": set(),
    "policy": {"common"},
    "episodes": {"common"},
    "rendering": {"common"},
    "training": {"common", "policy", "episodes"},
    "envs": {"common", "episodes", "rendering"},
    "synthetic": {"common", "episodes", "rendering", "envs"},
    "pretrain": {"common", "policy", "episodes", "training"},
    "finetune": {"common", "policy", "episodes", "training"},
    "grounding": {"common", "policy", "episodes", "training"},
}
MAY_IMPORT["benchmarks"] = {*MAY_IMPORT}
MAY_IMPORT["firsthand"] = {*MAY_IMPORT}
WITHOUT_TORCH = {"common", "episodes", "envs", "rendering", "synthetic"}
LARGEST_FOLDER = 20


def name_of(path: Path) -> str:
    """`firsthand.policy.batch` of policy/batch.py; a package has the name of its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    inside = parts if parts[0] == "firsthand" else ("firsthand", *parts)
    return ".".join(inside).removesuffix(".__init__")


def package_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in MAY_IMPORT else "firsthand"


@cache
def modules() -> dict[str, ast.Module]:
    files = [path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py")]
    return {name_of(path): ast.parse(path.read_text()) for path in files}


@cache
def imports() -> dict[str, set[str]]:
    """What every module imports, wherever in it: also in functions, also for the type checker."""
    found: dict[str, set[str]] = {module: set() for module in modules()}
    for module, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    found[module].add(inner if inner in modules() else node.module)
            elif isinstance(node, ast.Import):
                found[module] |= {alias.name for alias in node.names}
    return found


def test_arrows_between_packages_point_one_way() -> None:
    wrong = {
        (module, other)
        for module, others in imports().items()
        for other in others
        if other.startswith("firsthand.") and module != "firsthand"
        if package_of(other) not in {package_of(module), *MAY_IMPORT[package_of(module)]}
    }
    assert not wrong


def test_nothing_is_imported_by_a_name_that_is_not_installed() -> None:
    """`import policy` would work in a checkout alone."""
    ours = MAY_IMPORT.keys() - {"firsthand"} | {"configs"}
    wrong = {(m, o) for m, others in imports().items() for o in others if o.split(".")[0] in ours}
    assert not wrong


def test_no_module_imports_itself_in_a_circle() -> None:
    waiting = {m: {o for o in others if o in modules()} for m, others in imports().items()}
    while ready := {module for module, others in waiting.items() if not others & waiting.keys()}:
        waiting = {m: others for m, others in waiting.items() if m not in ready}
    assert not waiting


def test_data_and_worlds_need_no_torch() -> None:
    wrong = {
        (module, other)
        for module, others in imports().items()
        for other in others
        if package_of(module) in WITHOUT_TORCH and other.split(".")[0] in ("torch", "torchvision")
    }
    assert not wrong


def test_folders_are_small() -> None:
    sizes: dict[Path, int] = defaultdict(int)
    for package in (*MAY_IMPORT, "tests"):
        for path in (ROOT / package).rglob("*.py"):
            sizes[path.parent.relative_to(ROOT)] += 1
    assert {folder: size for folder, size in sizes.items() if size > LARGEST_FOLDER} == {}


def test_a_class_name_is_used_once() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for module, tree in modules().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(module)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_the_journeys_name_what_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    steps = re.findall(r"^\d+\. `([\w.]+)`", text, re.MULTILINE)
    assert len(steps) > 20
    for step in steps:
        module = step
        while f"firsthand.{module}" not in modules():
            module = module.rpartition(".")[0]
            assert module, step
        found = importlib.import_module(f"firsthand.{module}")
        for name in step.removeprefix(module).strip(".").split("."):
            found = getattr(found, name)
