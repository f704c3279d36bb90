import argparse
import pickle
import sys
import types
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from firsthand.policy.checkpoints.torch_files import InertRecord, open_file, read_state_dict

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


def assert_same(found: dict, wanted: dict = WEIGHTS) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert torch.equal(found[name], value), name


class Hostile:
    """Unpickled by an ordinary unpickler, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.fixture
def lightning(monkeypatch) -> dict:
    """A checkpoint with all that Lightning may keep beside the weights."""

    def fake(module: str, name: str) -> type:
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            inner = ".".join(parts[:end])
            monkeypatch.setitem(sys.modules, inner, types.ModuleType(inner))
        kind = type(name, (dict,), {"__module__": module})
        setattr(sys.modules[module], name, kind)
        return kind

    settings = fake("lightning.fabric.utilities.data", "AttributeDict")
    callback = fake("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")
    counts = defaultdict(list)
    counts["epoch"].append(3)
    return {
        "epoch": 47,
        "state_dict": OrderedDict(WEIGHTS),
        "hyper_parameters": settings(rate=0.1, names=argparse.Namespace(seed=1)),
        "callbacks": {callback: {"best": np.float64(0.5), "path": Path("there"), "n": counts}},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(5)}}}],
    }


@pytest.mark.parametrize(
    "content",
    [
        WEIGHTS,
        OrderedDict(WEIGHTS),
        {"state_dict": WEIGHTS, "epoch": 3},
        {"model": WEIGHTS},
        {f"module.{name}": value for name, value in WEIGHTS.items()},
        {f"model.{name}": value for name, value in WEIGHTS.items()},
        {"state_dict": {f"module.model.{name}": v for name, v in WEIGHTS.items()}},
        {f"module._orig_mod.{name}": value for name, value in WEIGHTS.items()},
        {name: nn.Parameter(value) for name, value in WEIGHTS.items()},
        {name: value.half() for name, value in WEIGHTS.items()},
        {name: value.bfloat16() for name, value in WEIGHTS.items()},
        {name: value.double() for name, value in WEIGHTS.items()},
    ],
)
@pytest.mark.parametrize("how", ["in memory", "zip", "legacy"])
def test_weights_come_out_of_every_wrapping(content, how, tmp_path):
    if how == "in memory":
        assert_same(read_state_dict(content))
        return
    torch.save(content, tmp_path / "x.pt", _use_new_zipfile_serialization=how == "zip")
    found = read_state_dict(tmp_path / "x.pt")
    assert_same(found)
    assert not any(value.requires_grad for value in found.values())


def test_safetensors_are_read(tmp_path):
    save_file(WEIGHTS, tmp_path / "x.safetensors")
    assert_same(read_state_dict(tmp_path / "x.safetensors"))


def test_a_prefix_that_some_lack_is_part_of_the_name():
    mixed = {"model.weight": torch.ones(1), "bias": torch.ones(1)}
    assert_same(read_state_dict(mixed), mixed)


def test_lightning_keeps_what_it_likes_beside_the_weights(lightning, tmp_path):
    torch.save(lightning, tmp_path / "x.ckpt")
    with pytest.raises(pickle.UnpicklingError):  # why torch's own reading is not enough
        torch.load(tmp_path / "x.ckpt", weights_only=True)
    assert_same(read_state_dict(tmp_path / "x.ckpt"))
    beside = open_file(tmp_path / "x.ckpt")["hyper_parameters"]
    assert type(beside) is InertRecord
    assert type(beside["names"]) is InertRecord


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_torchscript_archive_gives_its_tensors(tmp_path):
    """OpenAI's CLIP comes so, in half precision and with the sizes it was made for."""

    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2).half()
            self.scale = nn.Parameter(torch.tensor(2.0))
            self.sizes = [3, 2]
            self.register_buffer("length", torch.tensor(77))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x) * self.scale

    module = nn.Sequential(Inner(), nn.LayerNorm(2))
    torch.jit.script(module).save(str(tmp_path / "x.pt"))
    wanted = {
        name: value.float() if value.is_floating_point() else value
        for name, value in module.state_dict().items()
    }
    assert_same(read_state_dict(tmp_path / "x.pt"), wanted)


@pytest.mark.parametrize("how", ["zip", "legacy", "plain pickle", "torchscript"])
def test_nothing_in_a_file_is_run(how, tmp_path):
    path, victim = tmp_path / "x.pt", tmp_path / "made"
    content = {"state_dict": WEIGHTS, "epoch": Hostile(victim)}
    if how == "plain pickle":
        path.write_bytes(pickle.dumps(Hostile(victim), protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how != "legacy")
    if how == "torchscript":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("x/constants.pkl", b"")
    with pytest.raises(ValueError, match=r"x\.pt asks for pathlib.*touch|x\.pt asks for .*getattr"):
        read_state_dict(path)
    assert not victim.exists()


@pytest.mark.parametrize("name", ["builtins eval", "os system", "torch load", "nowhere Nothing"])
def test_a_refused_type_is_named(name, tmp_path):
    path = tmp_path / "x.pt"
    torch.save(WEIGHTS, path)
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    module, function = name.split()
    program = f"c{module}\n{function}\n(X\x01\x00\x00\x00atR.".encode()
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in entries.items():
            archive.writestr(entry, program if entry.endswith("data.pkl") else data)
    with pytest.raises(ValueError, match=rf"x\.pt asks for {module}\.{function}"):
        read_state_dict(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WEIGHTS | {"b": [1.0]}, "b is no tensor but a list"),
        (WEIGHTS | {"b": torch.ones(3, device="meta")}, "b is no plain tensor"),
        (WEIGHTS | {"b": torch.ones(3).to_sparse()}, "b is no plain tensor"),
        ({f"{i}": None for i in range(20)}, "9 is no tensor but a NoneType and 10 more"),
        ({"state_dict": {}}, "holds no weights"),
        ({}, "holds no weights"),
    ],
)
def test_what_is_no_weight_is_named(content, message):
    with pytest.raises(ValueError, match=message):
        read_state_dict(content)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_damaged_file_is_named(suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    with pytest.raises(ValueError, match=f"there is no file .*x{suffix}"):
        read_state_dict(path)
    for data in (b"", b"no weights at all", b"\x80\x02}q\x00."):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=rf"x\{suffix} (cannot be read|holds no weights)"):
            read_state_dict(path)
    torch.save(WEIGHTS, tmp_path / "whole.pt")
    data = (tmp_path / "whole.pt").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=rf"x\{suffix} cannot be read"):
        read_state_dict(path)
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ValueError, match="holds a list, no table of weights"):
        read_state_dict(tmp_path / "list.pt")
