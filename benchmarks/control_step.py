"""How long a policy takes to choose an action: the whole window anew, and each faster way.

All ways see the same observations by turns, so that whatever else the machine does disturbs all
alike. The plain way encodes every picture of the window at every step, as the released GR-1 does.
Times include resizing and moving the pictures.
"""

import copy
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, get_args, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from firsthand.benchmarks.stopwatch import timed_call
from firsthand.policy.batch import Batch
from firsthand.policy.inference.actor import PolicyActor
from firsthand.policy.inference.quantize import Precision, quantize
from firsthand.policy.policy import Policy

INSTRUCTION = "push the red block to the left"
SIZES = {"rgb_static": 200, "rgb_gripper": 84}  # CALVIN's cameras
PLAIN, EXACT = "whole window", "remembered"

Observation = Mapping[str, Any]


@dataclass(frozen=True)
class StepTime:
    """One way of choosing an action.

    median, p95: milliseconds; ratio: how much faster than the plain way; error: the length of what
    is wrong with the arm's numbers over the length of the right ones, the largest of all steps;
    drift: what is typically wrong, over how far the right ones typically lie from their mean (much
    more where a policy, such as one with random weights, says about the same whatever it sees);
    flips: steps at which the gripper would do otherwise; memory: megabytes of weights and history.
    """

    way: str
    median: float
    p95: float
    ratio: float
    error: float
    drift: float
    flips: int
    memory: float


@dataclass(frozen=True)
class CrowdTime:
    """median: milliseconds for one action in each of `num_envs` worlds; rate: actions a second."""

    way: str
    num_envs: int
    median: float
    rate: float


@runtime_checkable
class Way(Protocol):
    """One of the ways to choose an action."""

    def choose(self, observation: Observation) -> Float[np.ndarray, " 7"]: ...

    def memory(self) -> int:
        """Bytes of weights and of what is remembered."""
        ...


def step_times(policy: Policy, steps: int, seed: int) -> Iterator[StepTime]:
    """Measure every way to act with a policy that looks at every step, once its window is full.

    What the plain way says is right; where a window slides over remembered keys and values
    (rotary positions), which reach further back than the window, what is remembered in fp32 is.

    Args:
        policy: to act with.
        steps: measured ones.
        seed: of the observations.
    """
    device = next(policy.parameters()).device
    ways = ways_of(policy)
    right = EXACT if policy.config.trunk.position == "rotary" else PLAIN
    warm_up = policy.config.n_obs_steps + 1
    taken: dict[str, list[float]] = {name: [] for name in ways}
    chosen: dict[str, list[np.ndarray]] = {name: [] for name in ways}
    for step, observation in enumerate(observations(policy, warm_up + steps, seed)):
        for name, way in ways.items():
            if isinstance(way, WholeWindow) and step < warm_up - 1:
                way.seen.append(observation)
                continue
            action, milliseconds = timed_call(device, way.choose, observation)
            if step >= warm_up:
                taken[name].append(milliseconds)
                chosen[name].append(action)
    target = np.stack(chosen[right])
    for name, way in ways.items():
        actions, median = np.stack(chosen[name]), float(np.median(taken[name]))
        wrong = np.linalg.norm((actions - target)[:, :6], axis=1)
        yield StepTime(
            way=name,
            median=median,
            p95=float(np.percentile(taken[name], 95)),
            ratio=float(np.median(taken[PLAIN])) / median,
            error=float((wrong / np.linalg.norm(target[:, :6], axis=1)).max()),
            drift=float((np.square(wrong).mean() / target[:, :6].var(axis=0).sum()) ** 0.5),
            flips=int((actions[:, 6] != target[:, 6]).sum()),
            memory=way.memory() / 1e6,
        )


def crowd_times(policy: Policy, num_envs: int, steps: int, seed: int) -> list[CrowdTime]:
    """Measure acting in `num_envs` worlds at once, in every way that remembers, windows full."""
    device = next(policy.parameters()).device
    warm_up = policy.config.n_obs_steps + 1
    times = []
    for name, way in ways_of(policy, num_envs).items():
        if not isinstance(way, Remembering):
            continue
        streams = [observations(policy, warm_up + steps, seed + env) for env in range(num_envs)]
        taken = []
        for observed in zip(*streams, strict=True):
            together = dict(enumerate(observed))
            taken.append(timed_call(device, way.actor.select_actions, together)[1])
        median = float(np.median(taken[warm_up:]))
        times.append(CrowdTime(name, num_envs, median, 1000 * num_envs / median))
    return times


def ways_of(policy: Policy, num_envs: int = 1) -> dict[str, Way]:
    """Every way to act with a policy on its device, the plain one first."""
    policy = copy.copy(policy)
    # A look at every step and an arm that is not clipped, so that all that differs is seen.
    action = replace(
        policy.config.action, n_action_steps=1, temporal_ensemble_coeff=None, clip=False
    )
    policy.config = replace(policy.config, action=action)
    ways: dict[str, Way] = {PLAIN: WholeWindow(policy), EXACT: Remembering(policy, num_envs)}
    if next(policy.parameters()).device.type == "cpu":
        for precision in get_args(Precision):
            quantized = copy.deepcopy(policy)
            quantize(quantized, precision)
            ways[f"hastened, {precision}"] = Remembering(quantized, num_envs)
    return ways


def observations(policy: Policy, steps: int, seed: int) -> Iterator[Observation]:
    """Noise of the shapes that CALVIN's world shows."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        pictures = {
            camera.name: rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
            for camera in policy.config.cameras
            for size in [SIZES.get(camera.name, camera.size)]
        }
        yield {"rgb_obs": pictures, "robot_obs": 0.5 * rng.standard_normal(15)}


def weight_bytes(policy: Policy) -> int:
    return sum(tensor.nbytes for tensor in (*policy.parameters(), *policy.buffers()))


class WholeWindow:
    """The plain way: nothing is remembered but what the world showed and the sentence's vector."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.device = next(policy.parameters()).device
        stride = max(1, round(policy.config.obs_stride_s * policy.config.control_hz))
        self.stride = stride
        self.seen: deque[Observation] = deque(maxlen=(policy.config.n_obs_steps - 1) * stride + 1)
        self.instruction = policy.encode_instructions([INSTRUCTION])

    def choose(self, observation: Observation) -> Float[np.ndarray, " 7"]:
        self.seen.append(observation)
        window = list(self.seen)[:: -self.stride][::-1]
        images = {
            camera.name: torch.from_numpy(
                np.stack([seen["rgb_obs"][camera.name] for seen in window])
            ).permute(0, 3, 1, 2)[None]
            for camera in self.policy.config.cameras
        }
        state = np.stack([seen["robot_obs"] for seen in window])
        valid = torch.ones(1, len(window), dtype=torch.bool)
        batch = Batch(images, valid, self.instruction, torch.from_numpy(state).float()[None])
        actions = self.policy.predict(batch.to(self.device), video=False).actions
        assert actions is not None
        return actions[0, -1, 0].cpu().numpy()

    def memory(self) -> int:
        pictures = sum(image.nbytes for o in self.seen for image in o["rgb_obs"].values())
        return weight_bytes(self.policy) + pictures


class Remembering:
    """The closed loop's own way: see `policy.inference.actor.PolicyActor`."""

    def __init__(self, policy: Policy, num_envs: int) -> None:
        self.policy = policy
        self.actor = PolicyActor(policy, num_envs)
        for env_index in range(num_envs):
            self.actor.reset(env_index, INSTRUCTION)

    def choose(self, observation: Observation) -> Float[np.ndarray, " 7"]:
        return self.actor.select_actions({0: observation})[0]

    def memory(self) -> int:
        return weight_bytes(self.policy) + self.actor.memory.nbytes
