"""Several processes that train one policy: who am I, and how are gradients averaged.

Started by `torchrun` there are as many as it says; started plainly there is one. Gradients are
averaged by hand, one flat all-reduce after the last pass of a step: nothing is communicated while
gradients accumulate, parameters without gradient (an action head during pretraining) need no
special mode, and the order of summation does not depend on how far a run has come, which
DistributedDataParallel's buckets do not promise after a resume.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float
from torch import Tensor, nn

from firsthand.common.errors import UserError
from firsthand.common.ranks import local_rank, world_size

_PATIENCE = timedelta(hours=2)  # the others wait while the first process validates and rolls out
_AS_LONG_AS_IT_TAKES = timedelta(days=365)


@dataclass
class Distributed:
    """The processes of this run, as one of them sees it."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    _learning: list[bool] | None = None

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def broadcast_weights(self, policy: nn.Module) -> None:
        """Gives every process the first one's parameters and buffers."""
        if self.size > 1:
            for tensor in (*policy.parameters(), *policy.buffers()):
                dist.broadcast(tensor.detach(), src=0)

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replaces every gradient by its mean over the processes.

        Raises:
            RuntimeError: a parameter got a gradient that had none in the first step.
        """
        if self.size == 1:
            return
        if self._learning is None:
            self._learning = self._anywhere(parameters)
        for parameter, learning in zip(parameters, self._learning, strict=True):
            if learning and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            elif not learning and parameter.grad is not None:
                raise RuntimeError("a parameter that was idle in the first step got a gradient")
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1).float() for g in gradients])
        dist.all_reduce(flat)
        flat /= self.size
        parts = flat.split([g.numel() for g in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def _anywhere(self, parameters: Sequence[nn.Parameter]) -> list[bool]:
        has = torch.tensor([p.grad is not None for p in parameters], device=self.device).int()
        dist.all_reduce(has, dist.ReduceOp.MAX)
        return has.bool().tolist()

    def mean(self, values: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """The mean over the processes."""
        if self.size == 1:
            return values
        total = values.to(self.device, copy=True)
        dist.all_reduce(total)
        return (total / self.size).to(values.device)

    def anywhere(self, true: Bool[Tensor, ""]) -> Bool[Tensor, ""]:
        """Whether it is so in any process."""
        if self.size == 1:
            return true
        found = true.to(self.device).int()
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return found.bool()

    def once(self, make: Callable[[], str]) -> str:
        """What `make` returns, called by the first process alone while the others wait.

        Raises:
            UserError: in the others, what went wrong in the first.
        """
        if self.size == 1:
            return make()
        outcome = ["", ""]  # what came of it, what went wrong
        if self.is_main:
            group: Any = dist.new_group(backend="gloo", timeout=_AS_LONG_AS_IT_TAKES)
            try:
                outcome[0] = make()
            except BaseException as error:
                outcome[1] = str(error) or type(error).__name__
                raise
            finally:
                dist.broadcast_object_list(outcome, src=0, group=group)
            return outcome[0]
        try:
            group = dist.new_group(backend="gloo", timeout=_AS_LONG_AS_IT_TAKES)
            dist.broadcast_object_list(outcome, src=0, group=group)
        except RuntimeError as error:  # its connections were closed
            raise UserError("the first process died while the others waited for it") from error
        if outcome[1]:
            raise UserError(f"the first process failed: {outcome[1]}")
        return outcome[0]

    def wait(self) -> None:
        """Returns when every process has come here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def init_distributed(threads: int = 0) -> Iterator[Distributed]:
    """Joins the team that `torchrun` describes in the environment, or makes a team of one.

    threads: threads of this process for tensor work, restored afterwards; 0 leaves them.

    Raises:
        UserError: the environment speaks of several processes that cannot find each other.
    """
    size, local = world_size(), local_rank()
    if size > 1 and "MASTER_ADDR" not in os.environ:
        raise UserError(
            f"WORLD_SIZE={size} is set in the environment and MASTER_ADDR is not: start several "
            "processes with torchrun, or one with WORLD_SIZE unset"
        )
    before = torch.get_num_threads()
    if threads:
        torch.set_num_threads(threads)
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    opened = size > 1 and not dist.is_initialized()
    if opened:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Distributed(dist.get_rank() if size > 1 else 0, size, device)
    finally:
        if opened:
            dist.destroy_process_group()
        torch.set_num_threads(before)
