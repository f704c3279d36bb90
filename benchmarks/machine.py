"""What a measurement ran on, to be kept beside its numbers."""

import platform

import torch


def machine() -> dict[str, str | int]:
    """The processor, its threads in use, the accelerator if there is one, and torch's version."""
    described: dict[str, str | int] = {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    if torch.cuda.is_available():
        described["accelerator"] = torch.cuda.get_device_name()
    return described


def _processor() -> str:
    """Its name, and what it can do to matrices besides fp32."""
    able = torch.cpu.get_capabilities()
    units = [u for u in ("amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni") if able.get(u)]
    return " ".join([str(able.get("cpu_name") or platform.machine()), *units])
