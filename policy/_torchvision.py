"""Lets torchvision's CUDA-linked wheel import next to a CPU build of torch.

timm imports torchvision unconditionally, and transformers and torchmetrics import it when it is
there. The wheel that package indexes serve for a torch release is linked against CUDA; under CPU
torch its extension does not load and the import dies at `operator torchvision::nms does not exist`
(pytorch/pytorch#122494, pytorch/vision#9174). Declaring the two operator schemas that the import
looks up is enough: transforms and models work, only the detection operators raise when called.

The hook costs nothing until torchvision is imported and does nothing under CUDA torch or next to a
matching CPU wheel.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

_OPERATORS = ("nms", "qnms")
_libraries: list[object] = []  # a torch.library.Library undeclares its operators when collected


class _TorchvisionFinder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Iterable[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "torchvision":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname)
        if spec is not None and spec.origin is not None:
            _declare_operators(Path(spec.origin).with_name("_C.so"))
        return spec


def _declare_operators(extension: Path) -> None:
    import torch

    if torch.version.cuda is not None or torch.version.hip is not None:
        return
    try:
        torch.ops.load_library(str(extension))
    except OSError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in _OPERATORS:
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _libraries.append(library)


def install() -> None:
    """Prepare the next import of torchvision. Safe to call twice."""
    if "torchvision" not in sys.modules and not any(
        isinstance(finder, _TorchvisionFinder) for finder in sys.meta_path
    ):
        sys.meta_path.insert(0, _TorchvisionFinder())
