"""Checkpoints: directories that are either whole or absent, and enough in them to go on exactly.

    checkpoints/000500/policy/...              averaged weights, by `policy.save_pretrained`
    checkpoints/000500/training.safetensors    own weights, average, optimiser, running sums
    checkpoints/000500/training.json           step, configuration, best step so far
    checkpoints/last, checkpoints/best         links

There is no random state to save: every draw is a function of the seed and the step.
"""

import json
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from firsthand.common.errors import UserError
from firsthand.policy.checkpoints.aliases import (
    today_flat,
    today_tag,
    today_tags,
    today_weight,
)
from firsthand.policy.checkpoints.storage import save_tensors
from firsthand.training.config import FREE_ON_RESUME, TrainConfig
from firsthand.training.ema import EMA
from firsthand.training.metrics import Means

FORMAT_VERSION = 3  # 2: names of before 0.2.0 (`policy.checkpoints.aliases`)
READABLE = (2, 3)
_FINISHED = re.compile(r"\d{6,}")


@dataclass
class TrainState:
    """Everything that changes while training.

    losses, norms: of the passes and steps since the last logged one.
    left_out: how many of those steps had a loss or gradient that is not finite, which of them was
        the first (0 if none), and how many there were; and how many such steps came last in a row.
    metrics: the last value of every train/* and val/* tag.
    best_by: the held-out metric of which `best_loss` is the lowest value.
    """

    policy: nn.Module
    optimizer: torch.optim.Optimizer
    average: EMA
    step: int = 0
    best_step: int | None = None
    best_loss: float | None = None
    best_by: str | None = None
    losses: Means = field(default_factory=Means)
    norms: Means = field(default_factory=Means)
    left_out: Tensor = field(default_factory=lambda: torch.zeros(4, dtype=torch.int64))
    metrics: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def ema_model(self) -> Iterator[nn.Module]:
        """The policy with averaged weights, in evaluation mode, without gradients."""
        self.policy.eval()
        with self.average.in_place(), torch.no_grad():
            yield self.policy
        self.policy.train()

    def leave_out(self, step: int, unsound: Bool[Tensor, ""]) -> None:
        """Counts a step, and whether it was left out, without waiting for the device."""
        count, first, steps, row = self.left_out.to(unsound.device)
        first = torch.where(unsound & (count == 0), step, first)
        row = torch.where(unsound, row + 1, 0)
        self.left_out = torch.stack([count + unsound, first, steps + 1, row])

    def read_left_out(self) -> tuple[int, int, int, int]:
        """`left_out`, which begins anew but for the row."""
        count, first, steps, row = self.left_out.tolist()
        self.left_out = torch.zeros_like(self.left_out)
        self.left_out[3] = row
        return count, first, steps, row

    def improve(self, metrics: Mapping[str, float]) -> bool:
        """Whether these held-out metrics are the best so far, by what the policy is for: acting if
        it is learned, else all that is. What is not finite is no best."""
        by = "val/loss_action" if "val/loss_action" in metrics else "val/loss"
        lowest = math.inf if self.best_loss is None else self.best_loss
        if not metrics[by] < lowest:
            return False
        self.best_loss, self.best_step, self.best_by = metrics[by], self.step, by
        return True

    def record(self, metrics: Mapping[str, float]) -> None:
        """Keeps the metrics that are results (speed is not)."""
        kept = {t: v for t, v in metrics.items() if t.startswith(("train/", "val/"))}
        self.metrics.update(kept)

    def facts(self) -> dict[str, Any]:
        """What is not a tensor, as plain JSON values."""
        return {
            "step": self.step,
            "best_step": self.best_step,
            "best_loss": self.best_loss,
            "best_by": self.best_by,
            "metrics": self.metrics,
        }

    def load_facts(self, saved: Mapping[str, Any]) -> None:
        self.step = saved["step"]
        self.best_step, self.best_loss = saved["best_step"], saved["best_loss"]
        self.best_by = saved["best_by"] and today_tag(saved["best_by"])
        self.metrics = today_tags(saved["metrics"])

    def tensors(self) -> dict[str, Tensor]:
        """A copy of every tensor to save, by kind and name, on the CPU."""
        found = {f"weights/{name}": t for name, t in self.policy.state_dict().items()}
        found |= {f"average/{name}": t for name, t in self.average.values.items()}
        found |= {f"losses/{name}": t for name, t in self.losses.sums.items()}
        found |= {f"norms/{name}": t for name, t in self.norms.sums.items()}
        found["left_out"] = self.left_out
        for name, parameter in self.policy.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                found[f"optimizer/{key}/{name}"] = value
        return {name: t.detach().to("cpu", copy=True).contiguous() for name, t in found.items()}

    @torch.no_grad()
    def load_tensors(self, saved: Mapping[str, Tensor]) -> None:
        """Takes over what `tensors` gave.

        Raises:
            UserError: the weights belong to another model.
        """
        own = {f"weights/{name}": t for name, t in self.policy.state_dict().items()}
        own |= {f"average/{name}": t for name, t in self.average.values.items()}
        theirs = {name for name in saved if name.startswith(("weights/", "average/"))}
        for name in sorted(theirs.symmetric_difference(own)):
            where = "the checkpoint" if name in theirs else "the model"
            raise UserError(f"the checkpoint is of another model: only {where} has {name}")
        for name, tensor in own.items():
            if tensor.shape != saved[name].shape:
                raise UserError(
                    f"the checkpoint is of another model: {name} is {tuple(saved[name].shape)} "
                    f"in the checkpoint and {tuple(tensor.shape)} in the model"
                )
            tensor.copy_(saved[name])
        parameters = dict(self.policy.named_parameters())
        for name, tensor in saved.items():
            kind, _, rest = name.partition("/")
            if kind == "optimizer":
                key, _, owner = rest.partition("/")
                parameter = parameters[owner]
                self.optimizer.state[parameter][key] = tensor.to(parameter.device)
            elif kind in ("losses", "norms"):
                means = self.losses if kind == "losses" else self.norms
                means.sums[rest] = tensor.to(next(self.policy.parameters()).device)
        self.left_out = saved["left_out"]


class Checkpoints:
    """The checkpoints of one run.

    conditions: what besides the configuration must be equal when a run is resumed: all else that
        decides what is learned, as plain JSON values (see `training.invariants`).
    """

    def __init__(self, folder: Path, config: TrainConfig, conditions: Mapping[str, Any]) -> None:
        self.folder, self._config = folder, config
        self._conditions = json.loads(json.dumps(dict(conditions)))  # tuples come back as lists

    def newest(self) -> Path | None:
        """The checkpoint with the highest step, if there is one."""
        return max(_finished(self.folder), key=lambda path: int(path.name), default=None)

    def path(self, step: int) -> Path:
        return self.folder / f"{step:06d}"

    def save(self, state: TrainState) -> Path:
        """Writes the state under a temporary name, then gives it its own, then prunes.

        Raises:
            UserError: something in it is not finite.
        """
        tensors = state.tensors()
        if poisoned := _not_finite(tensors):
            raise UserError(
                f"{poisoned} is not finite after step {state.step}, which makes no checkpoint: "
                "go on from the last one with resume=true, or start again with a lower "
                "learning_rate or a longer warmup"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        final = self.path(state.step)
        draft = self.folder / f".draft-{final.name}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        with state.average.in_place():
            state.policy.save_pretrained(draft / "policy")  # pyright: ignore[reportCallIssue]
        save_tensors(tensors, draft / "training.safetensors")
        facts = {
            "format_version": FORMAT_VERSION,
            **state.facts(),
            "conditions": self._conditions,
            "threads": torch.get_num_threads(),
            "config": self._config.record(),
        }
        (draft / "training.json").write_text(json.dumps(facts, indent=2) + "\n")
        _flush_tree(draft)
        _discard(final)
        draft.rename(final)
        _flush(self.folder)
        self._tidy(state.best_step)
        return final

    def restore(self, state: TrainState) -> None:
        """Brings the state to the newest checkpoint; leaves it alone if there is none. Where the
        number of threads was left to torch, it goes on with as many as it had: sums depend on it.

        Raises:
            UserError: the checkpoint was made under a configuration that gives other results,
                or cannot be read.
        """
        path = self.newest()
        if path is None:
            return
        try:
            facts = json.loads((path / "training.json").read_text())
            saved = load_file(path / "training.safetensors")
        except (OSError, ValueError, SafetensorError) as error:
            raise UserError(f"{path} is not a readable checkpoint: {error}") from error
        self._check(facts, path)
        if poisoned := _not_finite(saved):
            raise UserError(
                f"cannot resume {path}: {poisoned} is not finite there; remove it to go on from an "
                "earlier one"
            )
        if not self._config.threads:
            torch.set_num_threads(facts.get("threads", torch.get_num_threads()))
        state.load_tensors({_today(name): tensor for name, tensor in saved.items()})
        state.load_facts(facts)

    def repair(self, best_step: int | None) -> None:
        """Finishes what a killed process may have left undone: links, pruning, drafts."""
        if self.newest() is not None:
            self._tidy(best_step)

    def _check(self, facts: Mapping[str, Any], path: Path) -> None:
        if facts["format_version"] not in READABLE:
            raise UserError(
                f"{path} has format version {facts['format_version']}, this program reads "
                f"{FORMAT_VERSION}; resume it with the version that wrote it"
            )
        then = facts["config"] | today_flat(facts["conditions"])
        now = self._config.record() | self._conditions
        for key in now | then:
            if key not in FREE_ON_RESUME and then.get(key) != now.get(key):
                raise UserError(
                    f"cannot resume {path}: {key} was {then.get(key)} and is now {now.get(key)}; "
                    "restore it, or start a new run directory"
                )

    def _tidy(self, best_step: int | None) -> None:
        steps = sorted(int(path.name) for path in _finished(self.folder))
        _link(self.folder / "last", f"{steps[-1]:06d}")
        if best_step in steps:
            _link(self.folder / "best", f"{best_step:06d}")
        for step in steps[: -self._config.keep_last]:
            if step != best_step:
                _discard(self.folder / f"{step:06d}")
        for leftover in self.folder.glob(".d*-*"):
            shutil.rmtree(leftover, ignore_errors=True)


def _today(name: str) -> str:
    """The name of a saved tensor, `weights/<parameter>` or `optimizer/<key>/<parameter>`."""
    kind, sign, parameter = name.rpartition("/")
    return f"{kind}{sign}{today_weight(parameter)}"


def _not_finite(tensors: Mapping[str, Tensor]) -> str:
    """The name of a tensor that holds NaN or infinity, if one does."""
    return next((name for name, t in tensors.items() if not bool(t.isfinite().all())), "")


def _finished(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [p for p in folder.iterdir() if _FINISHED.fullmatch(p.name) and p.is_dir()]


def _discard(path: Path) -> None:
    """Removes a directory without ever leaving half of it under its name."""
    if path.exists():
        doomed = path.with_name(f".doomed-{path.name}")
        shutil.rmtree(doomed, ignore_errors=True)
        path.rename(doomed)
        shutil.rmtree(doomed)


def _link(link: Path, target: str) -> None:
    if not link.is_symlink() or os.readlink(link) != target:
        draft = link.with_name(f".draft-{link.name}")
        draft.unlink(missing_ok=True)
        draft.symlink_to(target)
        os.replace(draft, link)


def _flush_tree(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _flush(path)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
