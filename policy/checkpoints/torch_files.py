"""Opening weights that others saved, without running what a file may hold besides.

A .pt, .pth or .ckpt file is a pickle: a program that may call anything. torch reads the harmless
part of that language (`weights_only`). Two kinds of file need a little more, and get it by name:
Lightning's checkpoints keep the settings of the run beside the weights, and OpenAI's CLIP is a
TorchScript archive, a tree of modules. Of those the tensors are read; everything else becomes a
`InertRecord`, which keeps what it is given and does nothing. A type that is on no list is refused.
"""

import pickle
import re
import sys
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from firsthand.policy.checkpoints.state_dict import listed

WRAPPERS = ("state_dict", "model")  # where a file keeps its weights: Lightning and GR-1; MAE
PREFIXES = ("module.", "model.", "_orig_mod.")  # of DataParallel, Lightning, torch.compile


class InertRecord(dict):
    """Stands for an object of another program: its items and its state, none of its code."""

    def __init__(self, *arguments: object) -> None:
        super().__init__()
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def append(self, item: object) -> None:
        """What a list would keep is not needed."""

    def extend(self, items: object) -> None:
        """What a list would keep is not needed."""


class RefusedType(pickle.UnpicklingError):
    """A file asks for a type or function that is on no list."""


def _tensor(
    storage: Tensor, offset: int, size: tuple, stride: tuple, *_: object
) -> Tensor:  # torch checks that these lie within the storage
    return storage.as_strided(tuple(size), tuple(stride), offset)


def _first(value: object, *_: object) -> object:
    return value


# What tensors are made of.
TENSORS: Mapping[str, Any] = {
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _first,
    "torch.Size": tuple,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.DoubleStorage": torch.float64,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}
# What TorchScript wraps lists and dictionaries in.
SCRIPTED: Mapping[str, Any] = {
    f"torch.jit._pickle.{name}": _first
    for name in ("build_intlist", "build_tensorlist", "build_doublelist", "build_boollist")
} | {"torch.jit._pickle.restore_type_tag": _first}
# What holds the weights, and what Lightning keeps beside them.
KEPT = (
    "collections.OrderedDict",  # a state dict
    "argparse.Namespace",  # settings read from a command line
    "collections.defaultdict",  # settings, and what callbacks count
    "omegaconf.dictconfig.DictConfig",  # settings that Hydra read
    "omegaconf.listconfig.ListConfig",
    "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata",
    "omegaconf.nodes.AnyNode",
    "typing.Any",  # what omegaconf allows there
    "builtins.dict",  # the kind of those containers
    "builtins.list",
    "__builtin__.dict",  # the same, by the name that Python 2 had for them
    "__builtin__.list",
    "builtins.set",  # what modules are made of
    "__builtin__.set",
    "pathlib.PosixPath",  # where things lay
    "pathlib._local.PosixPath",  # the same, from Python 3.13
    "numpy.core.multiarray.scalar",  # a best score
    "numpy._core.multiarray.scalar",  # the same, from numpy 2
    "numpy.dtype",
    "_codecs.encode",  # the bytes of such a score
    "functools.partial",  # a part of a network, yet to be made
    "torch.device",
    "torch._C._nn.gelu",  # an activation
)
# Lightning's own settings, the callbacks whose state it keeps, and networks that stand whole among
# the settings, as in CVCL's file.
KEPT_MODULES = (
    "lightning.",
    "lightning_fabric.",
    "multimodal.",
    "pytorch_lightning.",
    "timm.",
    "torch.nn.functional.",
    "torch.nn.modules.",
    "torch.optim.",
    "torchvision.models.",
)


def read_state_dict(
    source: str | Path | Mapping[str, Any], where: str = "the state dict"
) -> dict[str, Tensor]:
    """The weights of a file, or of what such a file holds, by name and in float32.

    Taken out of their wrapper (`state_dict`, `model`) and freed of the prefixes that all of them
    carry. Numbers that are no floating-point numbers stay what they are. Messages say `where` the
    weights of a source in memory come from.

    Raises:
        ValueError: there is no such file, it cannot be read, asks for a type that is refused, or
            holds values that are no tensors; each by name.
    """
    if isinstance(source, str | Path):
        source, where = open_file(Path(source)), str(source)
    content = source
    for wrapper in WRAPPERS:
        if isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not content:
        raise ValueError(f"{where} holds no weights")
    names = without_prefixes([str(name) for name in content])
    faults, weights = [], {}
    for name, value in zip(names, content.values(), strict=True):
        if not isinstance(value, Tensor):
            faults.append(f"{name} is no tensor but a {type(value).__name__}")
        elif value.layout is not torch.strided or value.is_meta:
            faults.append(f"{name} is no plain tensor")
        else:
            weights[name] = value.detach().float() if value.is_floating_point() else value
    if faults:
        raise ValueError(f"{where}: {listed(faults)}")
    return weights


def open_file(path: Path) -> Mapping[str, Any]:
    """What a .safetensors, .pt, .pth, .ckpt or .bin file holds, tensors on the CPU.

    Raises:
        ValueError: as for `read_state_dict`.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except RefusedType as error:
        raise ValueError(f"{path} asks for {error}, which is not read for safety") from error
    except (
        pickle.UnpicklingError, SafetensorError, zipfile.BadZipFile,
        RuntimeError, EOFError, LookupError, TypeError, AttributeError, ValueError,
    ) as error:  # fmt: skip
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{path} cannot be read: {reason[0]}") from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds a {type(content).__name__}, no table of weights")
    return content


def without_prefixes(names: list[str]) -> list[str]:
    """Names freed of the prefixes that all of them carry."""
    for prefix in PREFIXES * len(PREFIXES):
        if all(name.startswith(prefix) for name in names):
            names = [name.removeprefix(prefix) for name in names]
    return names


def _unpickled(path: Path) -> Any:
    if not zipfile.is_zipfile(path):  # from before torch 1.6
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            refused = re.search(r"GLOBAL (\S+) was not an allowed global", str(error))
            raise RefusedType(refused[1]) if refused else error from error
    with zipfile.ZipFile(path) as archive:
        scripted = any(name.endswith("/constants.pkl") for name in archive.namelist())
        if not scripted:
            try:
                return torch.load(path, map_location="cpu", weights_only=True)
            except pickle.UnpicklingError:  # more than weights: read below
                pass
        content = _read_archive(archive)
    return dict(_flatten(content)) if scripted else content


def _read_archive(archive: zipfile.ZipFile) -> Any:
    (main,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
    folder = main.removesuffix("data.pkl")
    order = f"{folder}byteorder"
    if order in archive.namelist() and archive.read(order).decode() != sys.byteorder:
        raise ValueError(f"its numbers are {archive.read(order).decode()}-endian")
    return _Unpickler(BytesIO(archive.read(main)), archive, f"{folder}data/").load()


class _Unpickler(pickle.Unpickler):
    """Knows the names on the lists above and refuses all others."""

    def __init__(self, file: BytesIO, archive: zipfile.ZipFile, storages: str) -> None:
        super().__init__(file)
        self.archive = archive
        self.storages = storages
        self.loaded: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full in TENSORS:
            return TENSORS[full]
        if full in SCRIPTED:
            return SCRIPTED[full]
        if full in KEPT or full.startswith(KEPT_MODULES):
            return InertRecord
        if module.split(".")[0] == "__torch__":  # a module of a TorchScript tree
            return InertRecord
        raise RefusedType(full)

    def persistent_load(self, saved: tuple) -> Tensor:
        """A storage: as many numbers of one type, lying in a file of their own."""
        _, dtype, key, _, count = saved
        if key not in self.loaded:
            data = bytearray(self.archive.read(f"{self.storages}{key}"))
            self.loaded[key] = (
                torch.frombuffer(data, dtype=dtype, count=count)
                if count
                else (torch.empty(0, dtype=dtype))
            )
        return self.loaded[key]


def _flatten(module: Any, prefix: str = "") -> list[tuple[str, Tensor]]:
    """The tensors of a tree of modules by their dotted names."""
    if not isinstance(module, InertRecord) or not isinstance(module.state, Mapping):
        return []
    found = []
    for name, value in module.state.items():
        if isinstance(value, Tensor):
            found.append((f"{prefix}{name}", value))
        else:
            found += _flatten(value, f"{prefix}{name}.")
    return found
