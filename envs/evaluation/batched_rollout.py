"""Trials in many environments at once.

A policy that is not batched is made in every worker process, which runs whole trials. A batched one
acts in this process for all environments, which the workers hold, and its trials go in rounds of
`num_envs`: a round's batches hold all of its environments that still run, step by step, and a round
begins with a new actor. So what a policy computes for a trial depends on its round alone, and
neither on the number of workers nor on what was done before. (How a row of a matrix product is
rounded may depend on how many rows there are.) Two rounds are under way at once, so that
environments move while the policy computes. An error in an action costs the trial it was meant for;
what a policy raises costs those that were in the batch.
"""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from firsthand.common import workers
from firsthand.common.errors import UserError
from firsthand.envs.evaluation import policy_source
from firsthand.envs.evaluation.config import EvaluationConfig
from firsthand.envs.evaluation.env_pool import Command, env_pool
from firsthand.envs.evaluation.policies import BatchedPolicy, PolicyFactory, is_batched, seed_for
from firsthand.envs.evaluation.policy_errors import PolicyError, call_policy, read_action
from firsthand.envs.evaluation.records import Record
from firsthand.envs.evaluation.rollout import (
    ObservationRequest,
    RolloutRunner,
    RolloutSettings,
    lost_trial,
)
from firsthand.envs.evaluation.seeding import RandomStream, reseed
from firsthand.envs.evaluation.trials import RolloutJob, Trial

ROUNDS = 2  # under way at once


def rollouts(
    trials: Sequence[Trial],
    done: Collection[int],
    job_of: Callable[[Trial], RolloutJob],
    factory: PolicyFactory,
    config: EvaluationConfig,
) -> Generator[tuple[RolloutJob, Record]]:
    """Trials with their records, as they end: those whose index is not in `done`, and of a batched
    policy the others of their rounds, without videos.

    Raises:
        UserError: the policy cannot be made, or an environment raised one.
        RuntimeError: a worker failed; says at which trial.
    """
    todo = {trial.index for trial in trials} - set(done)
    if not todo:
        return
    policy = policy_source.made_here(factory, config.workers)
    make_env = partial(config.env.make, config.cameras)
    if not is_batched(policy):
        jobs = (job_of(trial) for trial in trials if trial.index in todo)
        make_policy = policy_source.Maker(factory) if policy is None else lambda: policy
        runner = partial(RolloutRunner, make_policy, make_env, config.steps, config.action_repeat)
        yield from workers.run(runner, lambda: next(jobs, None), config.workers, lost_trial)
        return
    n = config.num_envs
    rounds = (
        [job_of(trial) if trial.index in todo else RolloutJob(trial) for trial in trials[i : i + n]]
        for i in range(0, len(trials), n)
        if any(trial.index in todo for trial in trials[i : i + n])
    )
    settings = RolloutSettings.of(policy, config.steps, config.action_repeat)
    image_bytes = sum(3 * size * size for size in config.cameras.values())
    yield from run_batched(
        policy, make_env, settings, rounds, config.workers, n, image_bytes, config.env.alone
    )


def run_batched(
    policy: BatchedPolicy,
    make_env: Callable[[int], Any],
    settings: RolloutSettings,
    rounds: Iterator[Sequence[RolloutJob]],
    n_workers: int,
    num_envs: int,
    image_bytes: int,
    alone: bool = False,
) -> Generator[tuple[RolloutJob, Record]]:
    """Every trial of a batched policy with its record, as they end.

    Args:
        make_env: makes an environment, given how many control steps an action lasts.
        rounds: the trials of each round, `num_envs` of them or fewer.
        n_workers: processes that hold the environments; 0 uses this one.
        image_bytes: of all images of an observation.
        alone: whether a process can hold one environment only; then `n_workers` is not asked.

    Raises:
        UserError: an environment or the policy raised one.
        RuntimeError: a worker failed; says at which trials.
    """
    at_once = 1 if alone else ROUNDS
    n_workers = num_envs if alone else n_workers
    under_way: dict[int, _Round] = {}
    with env_pool(make_env, settings, num_envs * at_once, n_workers, image_bytes) as envs:
        while True:
            for number in set(range(at_once)) - set(under_way):
                if (jobs := next(rounds, None)) is not None:
                    actor = call_policy(partial(policy.actor, num_envs))
                    if isinstance(actor, PolicyError):
                        raise UserError(f"the policy cannot act: {actor.message}")
                    indices = range(number, num_envs * at_once, at_once)
                    round_ = under_way[number] = _Round(
                        actor, dict(zip(indices, jobs, strict=False))
                    )
                    envs.send(round_.begin())
            if (answers := envs.recv()) is None:
                return
            number = min(answers) % at_once
            round_ = under_way[number]
            for index, answer in answers.items():
                if record := round_.receive(index, answer):
                    yield round_.jobs[index], record
            if not round_.awaited and round_.requests:
                envs.send(round_.act())
            elif not round_.awaited:
                del under_way[number]


class _Round:
    """Trials that are acted on in the same batches.

    Args:
        actor: of a batched policy, new.
        jobs: the trials, by the index of their environment; the actor counts them from 0.
    """

    def __init__(self, actor: Any, jobs: Mapping[int, RolloutJob]) -> None:
        self.jobs = jobs
        self.awaited: set[int] = set()
        self.requests: dict[int, ObservationRequest] = {}
        self._actor = actor
        self._row = {index: row for row, index in enumerate(jobs)}
        seed = next(iter(jobs.values())).trial.seed
        self._stream = RandomStream(seed)
        reseed(actor, seed)

    def begin(self) -> Mapping[int, Command]:
        """Every environment's trial."""
        self.awaited = set(self.jobs)
        return self.jobs

    def receive(self, index: int, answer: ObservationRequest | Record) -> Record | None:
        """Note what an environment asks for; returns the record of a trial that has ended."""
        self.awaited.remove(index)
        if not isinstance(answer, ObservationRequest):
            return answer
        self.requests[index] = answer
        return None

    def act(self) -> dict[int, Command]:
        """An action for every environment that asks, from one batch in the order of the rows."""
        indices = sorted(self.requests)
        requests = {self._row[index]: self.requests[index] for index in indices}
        self.awaited, self.requests = set(indices), {}
        with self._stream:
            actions = call_policy(partial(self._select, requests))
        if isinstance(actions, PolicyError):
            return dict.fromkeys(indices, actions)
        return {
            index: call_policy(partial(_action_of, actions, self._row[index])) for index in indices
        }

    def _select(self, requests: Mapping[int, ObservationRequest]) -> Mapping[int, Any]:
        for row, request in requests.items():
            if request.instruction is not None:
                reset = self._actor.reset
                reset(row, request.instruction, **seed_for(reset, request.seed))
        actions = self._actor.select_actions({r: q.observation for r, q in requests.items()})
        if not isinstance(actions, Mapping):
            kind = type(actions).__name__
            raise UserError(f"select_actions must return actions by env index, a dict, not {kind}")
        return actions


def _action_of(actions: Mapping[int, Any], row: int) -> np.ndarray:
    if row not in actions:
        raise UserError(f"select_actions gave no action for env {row}, which had asked")
    return read_action(actions[row])
