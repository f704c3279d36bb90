"""What a measurement ran on, to be kept beside its numbers; memory; processes of its own."""

import platform
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

MEBIBYTE = 2**20
_HELD = Path("/proc/self/statm")


def machine() -> dict[str, str | int]:
    """The processor, its threads in use, the accelerator if there is one, and torch's version."""
    import torch

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
    import torch

    able = torch.cpu.get_capabilities()
    units = [u for u in ("amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni") if able.get(u)]
    return " ".join([str(able.get("cpu_name") or platform.machine()), *units])


def resident() -> int | None:
    """Bytes that this process holds in memory; None where the system does not tell."""
    import resource

    if not _HELD.exists():
        return None
    return int(_HELD.read_text().split()[1]) * resource.getpagesize()


def in_processes(tasks: Sequence[Callable[..., Any]], *arguments: Any) -> list[Any]:
    """What every task returns, each run in a new process; all begin when all are ready.

    A task is a generator function: it yields when it is ready, then its result.
    """
    context = get_context("spawn")
    ends, processes = [], []
    for task in tasks:
        here, there = context.Pipe()
        processes.append(context.Process(target=_run, args=(there, task, arguments), daemon=True))
        processes[-1].start()
        ends.append(here)
        there.close()
    for end in ends:
        end.recv()
    for end in ends:
        end.send("go")
    results = [end.recv() for end in ends]
    for process in processes:
        process.join()
    return results


def _run(end: Connection, task: Callable[..., Any], arguments: Sequence[Any]) -> None:
    steps = task(*arguments)
    end.send(next(steps))
    end.recv()
    end.send(next(steps))
    steps.close()
