"""Which trials an evaluation consists of: a pure function of its configuration."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from firsthand.envs.evaluation.config import EvaluationConfig
from firsthand.envs.playtable.layouts import LAYOUTS
from firsthand.envs.tasks.chain_layouts import initial_layout
from firsthand.envs.tasks.chains import Chain, all_chains
from firsthand.envs.tasks.initial_states import generator, initial_state
from firsthand.envs.tasks.instructions import choose


@dataclass(frozen=True)
class Trial:
    """Instructions to be followed one after another, from a given layout. The first that fails
    ends the trial. Outcomes are counted by `group`; `seed` is for policies that sample."""

    index: int
    group: str
    tasks: tuple[str, ...]
    instructions: tuple[str, ...]
    robot_obs: Float[np.ndarray, "15"]
    scene_obs: Float[np.ndarray, "24"]
    seed: int = 0

    def __str__(self) -> str:
        return f"trial {self.index} ({', '.join(self.tasks)})"

    @property
    def seeds(self) -> list[int]:
        """A seed for each of its instructions."""
        return np.random.SeedSequence(self.seed).generate_state(len(self.tasks)).tolist()


@dataclass(frozen=True)
class RolloutJob:
    """A trial, and where to put a video of it should it succeed or fail (None: no video)."""

    trial: Trial
    success_video: Path | None = None
    failure_video: Path | None = None

    def __str__(self) -> str:
        return str(self.trial)


def plan_trials(kind: str, config: EvaluationConfig) -> list[Trial]:
    """All trials of an evaluation of `tasks` or of `chains`, in the order of their records."""
    if kind == "chains":
        return [chain_trial(config, chain) for chain in all_chains()[: config.chains]]
    return [
        task_trial(config, task, number, number * len(config.tasks) + i)
        for number in range(config.trials)
        for i, task in enumerate(config.tasks)
    ]


def task_trial(config: EvaluationConfig, task: str, number: int, index: int) -> Trial:
    """The `number`-th trial of a task; `index` is its position in the records."""
    assert config.instructions is not None
    rng = generator(config.seed, "evaluation", f"{task} in words", number)
    sentence = choose(task, config.instructions, rng)
    layout = initial_state(task, number, config.seed, "evaluation", config.env.scene)
    seed = _policy_seed(config, f"{task} acts", number)
    return Trial(index, task, (task,), (sentence,), *layout, seed=seed)


def chain_trial(config: EvaluationConfig, chain: Chain) -> Trial:
    """A chain of five tasks from its initial layout, each in words."""
    assert config.instructions is not None
    rng = generator(config.seed, "evaluation", "chain in words", chain.index)
    sentences = tuple(choose(task, config.instructions, rng) for task in chain.tasks)
    layout = initial_layout(chain.initial, LAYOUTS[config.env.scene])
    seed = _policy_seed(config, "chain acts", chain.index)
    return Trial(chain.index, "chain", chain.tasks, sentences, *layout, seed=seed)


def _policy_seed(config: EvaluationConfig, name: str, number: int) -> int:
    """For what the policy draws in a trial."""
    return int(generator(config.seed, "evaluation", name, number).integers(2**32))
