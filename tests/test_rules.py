"""Rules of the house that no single test of a module would hold."""

import ast
from pathlib import Path

from tests.test_architecture import MAY_IMPORT as PACKAGES
from tests.test_architecture import ROOT

CLOCKS = {
    *("monotonic", "perf_counter", "time", "process_time", "sleep", "now"),
    *("cpu_count", "sched_getaffinity", "getloadavg", "get_num_threads"),
}
TOLD = {  # who may look at a clock or count cores, and what for: nothing here decides a result
    "common/worker.py": "how long a child may take to end before it is killed",
    "common/progress.py": "how often a line is printed",
    "firsthand/cli/run_dir.py": "names of run directories",
    "firsthand/cli/stages.py": "how long stages took, for the reader",
    "firsthand/cli/versions.py": "what versions.json says of the machine",
    "training/checkpoint.py": "threads of a run, which a resumed one keeps",
    "training/distributed.py": "threads of before, to go back to",
    "training/logger.py": "names of event files",
    "training/throughput.py": "speed, for the reader",
}


def looked_at(path: Path) -> set[str]:
    """The clocks and counts of cores that a module asks for."""
    tree = ast.parse(path.read_text())
    asked = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    modules = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return (asked & CLOCKS) if modules & {"time", "os", "datetime", "torch"} else set()


def test_no_clock_and_no_count_of_cores_decides_anything() -> None:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    found = {str(p.relative_to(ROOT)): names for p in files if (names := looked_at(p))}
    measuring = {name for name in found if name.startswith("benchmarks/")}
    assert found.keys() - measuring == TOLD.keys(), found


SETTINGS = (
    "policy/config.py",
    "training/config.py",
    "training/augment.py",
    "training/recipe.py",
    "pretrain/recipe.py",
    "finetune/recipe.py",
    "firsthand/build/corpora.py",
    "firsthand/build/datasets.py",
    "firsthand/demo/demo.py",
    "firsthand/commands/*.py",
)
OF_SETTINGS = ("Config", "Command", "Corpus", "Weights", "Gr1", "Cvcl", "Export")


def test_every_setting_says_what_it_is() -> None:
    """A docstring under each field of a configuration: what it means, and its unit."""
    unsaid = [
        f"{path.relative_to(ROOT)}: {node.name}.{field.target.id}"
        for pattern in SETTINGS
        for path in ROOT.glob(pattern)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name.endswith(OF_SETTINGS)
        for field, after in zip(node.body, [*node.body[1:], None], strict=True)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant))
    ]
    assert unsaid == []
