"""A policy acts, and at every state that it gets into an expert says what should be done there.

DAgger (Ross et al. 2011): who learns from experts alone never sees the states that its own mistakes
lead to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from firsthand.common.errors import UserError
from firsthand.envs import actions
from firsthand.envs.evaluation.policies import PolicyFactory, is_batched, seed_for
from firsthand.envs.evaluation.policy_errors import read_action
from firsthand.envs.evaluation.policy_source import Maker
from firsthand.envs.evaluation.rollout import RolloutSettings
from firsthand.envs.evaluation.seeding import RandomStream, reseed
from firsthand.envs.rollout import CONTROL_HZ, TaskRollout

STRETCH = 1.0  # seconds for which either of the two acts


@dataclass(frozen=True)
class Corrections:
    """Who acts while the expert says what should be done.

    Raises:
        UserError: beta is no share.
    """

    policy: PolicyFactory
    """Makes the policy, in every process that records."""
    known_as: Mapping[str, Any]
    """What tells it from all others, kept with what is recorded."""
    beta: float = 0.5
    """Share of stretches of a second in which the expert acts itself: it brings the policy to what
    comes later in a task, and shows from where the policy has got how to go on."""

    def __post_init__(self) -> None:
        if not 0 <= self.beta <= 1:
            raise UserError(f"beta must lie between 0 and 1, not {self.beta}")

    def describe(self) -> dict[str, Any]:
        """What a recording depends on, ready for JSON."""
        return {"beta": self.beta, **self.known_as}


class CorrectedActor:
    """The policy in one environment, by stretches of which it leaves some to the expert. It begins
    anew with each, as it does not know what was done meanwhile.

    Raises:
        UserError: no policy can be made, or it acts at another rate.
    """

    def __init__(self, corrections: Corrections, steps: int, action_repeat: int) -> None:
        policy = Maker(corrections.policy)()
        settings = RolloutSettings.of(policy, max(steps, CONTROL_HZ))
        if settings.action_repeat != action_repeat:
            raise UserError(
                f"the policy's actions last {settings.action_repeat} control steps and those that "
                f"are recorded {action_repeat}: write action_repeat={settings.action_repeat}"
            )
        self._policy: Any = _OneEnv(policy.actor(1)) if is_batched(policy) else policy
        self._privileged, self._beta = settings.privileged, corrections.beta
        self._frames = round(STRETCH * CONTROL_HZ / action_repeat)

    def begin(self, instruction: str, rng: np.random.Generator) -> None:
        """A new sentence; `rng` draws who acts."""
        self._instruction, self._rng, self._left = instruction, rng, 0

    def action(self, rollout: TaskRollout, layout: Any) -> Float[np.ndarray, "7"] | None:
        """What the policy does now, or None where the expert is to act."""
        if not self._left:
            self._left = self._frames
            self._acts = self._rng.random() >= self._beta
            seed = int(self._rng.integers(2**32))
            self._stream = RandomStream(seed)
            if self._acts:
                self._reset(seed)
        self._left -= 1
        if not self._acts:
            return None
        observation = rollout.observation
        if self._privileged:
            known = {"info": rollout.info, "task": rollout.task, "layout": layout}
            observation = {**observation, **known}
        with self._stream:
            return actions.read(
                "cartesian_rel", read_action(self._policy.select_action(observation))
            )

    def _reset(self, seed: int) -> None:
        reseed(self._policy, seed)
        reset = self._policy.reset
        with self._stream:
            reset(self._instruction, **seed_for(reset, seed))


class _OneEnv:
    """A batched actor as a policy of one environment."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def reset(self, instruction: str, seed: int = 0) -> None:
        reset = self._actor.reset
        reset(0, instruction, **seed_for(reset, seed))

    def select_action(self, observation: dict[str, Any]) -> Any:
        return self._actor.select_actions({0: observation})[0]
