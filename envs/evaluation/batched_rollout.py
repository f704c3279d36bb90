"""Many worlds, one policy: worlds run in worker processes, their questions are answered in batches.

Trials go in rounds of `seats`. A round's batches hold all of its worlds that still run, step by
step, and a round begins with an actor that knows nothing: so what a policy computes for a trial
depends on its round alone, and neither on the number of workers nor on what was done before. (How a
row of a matrix product is rounded may depend on how many rows there are.) Two rounds are under way
at once, so that worlds move while the policy thinks. A mistake in an action costs the trial it was
meant for; what a policy raises costs those that asked.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from firsthand.common import workers
from firsthand.common.errors import UserError
from firsthand.envs.evaluation.policies import BatchedPolicy, seed_for
from firsthand.envs.evaluation.policy_errors import Mistake, attempt, read_action
from firsthand.envs.evaluation.records import Record
from firsthand.envs.evaluation.rollout import (
    ObservationRequest,
    RolloutJob,
    RolloutSettings,
    run_trial,
)
from firsthand.envs.evaluation.seeding import RandomStream, reseed

ROUNDS = 2  # under way at once

Place = tuple[int, int]  # which of the rounds under way, and the seat
# What a place is given: a trial, or the action it asked for, or the mistake made instead.
Begin = RolloutJob | np.ndarray | Mistake
SharedImageBuffer = Any  # shared memory, where a place leaves its pictures


def run_batched(
    policy: BatchedPolicy,
    make_env: Callable[[int], Any],
    settings: RolloutSettings,
    rounds: Iterator[Sequence[RolloutJob]],
    processes: int,
    seats: int,
    picture_bytes: int,
    alone: bool = False,
) -> Iterator[tuple[RolloutJob, Record]]:
    """Every assignment with its record, as they are done.

    Args:
        make_env: makes an environment, given how many control steps an action lasts.
        rounds: the trials of each round, `seats` of them or fewer.
        processes: how many hold the environments; 0 uses this one.
        picture_bytes: of all pictures of an observation.
        alone: whether there can be one environment a process; then `processes` is not asked.

    Raises:
        UserError: an environment or the policy raised one.
        RuntimeError: a worker failed; says at which trial.
    """
    under_way = 1 if alone else ROUNDS
    places = [(number, seat) for seat in range(seats) for number in range(under_way)]
    n_workers = len(places) if alone else min(processes, len(places))
    worker_of = {place: i % max(n_workers, 1) for i, place in enumerate(places)}
    buffers = {
        p: get_context("spawn").RawArray("B", max(1, picture_bytes)) for p in places if n_workers
    }
    make = [
        partial(
            EnvWorker,
            make_env,
            settings,
            {p: s for p, s in buffers.items() if worker_of[p] == worker},
        )
        for worker in range(n_workers)
    ]
    with (
        workers.process_pool(make)
        if n_workers
        else workers.in_process(partial(EnvWorker, make_env, settings, {})) as pool
    ):
        current: dict[int, _Round] = {}
        while True:
            for number in set(range(under_way)) - set(current):
                if (jobs := next(rounds, None)) is not None:
                    actor = attempt(partial(policy.actor, seats))
                    if isinstance(actor, Mistake):
                        raise UserError(f"the policy cannot act: {actor.message}")
                    round_ = current[number] = _Round(number, actor, jobs)
                    _give(pool, worker_of, round_, round_.begin())
            if (done := pool.next_result()) is None:
                return
            _, job, answers = done
            round_ = current[_number(job)]
            for place, answer in answers.items():
                if isinstance(answer, ObservationRequest) and place in buffers:
                    answer = _with_pictures(answer, buffers[place])
                if record := round_.take(place[1], answer):
                    yield round_.jobs[place[1]], record
            if not round_.awaited:
                if round_.requests:
                    _give(pool, worker_of, round_, round_.act())
                else:
                    del current[round_.number]


class _Job(dict[Place, Begin]):
    """What the places of one process are given at a step of a round. Only that travels."""

    def __init__(self) -> None:
        super().__init__()
        self.trials: list[str] = []

    def __str__(self) -> str:
        return "; ".join(self.trials)

    def __reduce__(self) -> tuple[type, tuple[dict[Place, Begin]]]:
        return dict, (dict(self),)


def _give(
    pool: workers.WorkerPool,
    worker_of: Mapping[Place, int],
    round_: "_Round",
    given: Mapping[int, Begin],
) -> None:
    jobs: dict[int, _Job] = {}
    for seat, what in given.items():
        job = jobs.setdefault(worker_of[round_.number, seat], _Job())
        job[round_.number, seat] = what
        job.trials.append(str(round_.jobs[seat]))
    for worker, job in jobs.items():
        pool.submit(worker, job)


def _number(job: _Job) -> int:
    return next(iter(job))[0]


class _Round:
    """Trials that are acted on in the same batches."""

    def __init__(self, number: int, actor: Any, jobs: Sequence[RolloutJob]) -> None:
        self.number = number
        self.jobs = jobs
        self.awaited: set[int] = set()
        self.requests: dict[int, ObservationRequest] = {}
        self._actor = actor
        self._stream = RandomStream(jobs[0].trial.seed)
        reseed(actor, jobs[0].trial.seed)

    def begin(self) -> dict[int, Begin]:
        """The trials, for their seats."""
        self.awaited = set(range(len(self.jobs)))
        return dict(enumerate(self.jobs))

    def take(self, seat: int, answer: ObservationRequest | Record) -> Record | None:
        """Note what a seat asks or reports; returns the record of a trial that has ended."""
        self.awaited.remove(seat)
        if not isinstance(answer, ObservationRequest):
            return answer
        self.requests[seat] = answer
        return None

    def act(self) -> dict[int, Begin]:
        """One action for every seat that asks, from one batch in the order of the seats."""
        requests = {seat: self.requests[seat] for seat in sorted(self.requests)}
        with self._stream:
            said = attempt(partial(self._ask, requests))
        self.requests = {}
        self.awaited = set(requests)
        if isinstance(said, Mistake):
            return dict.fromkeys(requests, said)
        return {seat: attempt(partial(_action_of, said, seat)) for seat in requests}

    def _ask(self, requests: Mapping[int, ObservationRequest]) -> Mapping[int, Any]:
        for seat, request in requests.items():
            if request.instruction is not None:
                reset = self._actor.reset
                reset(seat, request.instruction, **seed_for(reset, request.seed))
        said = self._actor.select_actions({seat: q.observation for seat, q in requests.items()})
        if not isinstance(said, Mapping):
            kind = type(said).__name__
            raise UserError(f"select_actions must return actions by seat, a dict, not {kind}")
        return said


def _action_of(said: Mapping[int, Any], seat: int) -> np.ndarray:
    if seat not in said:
        raise UserError(f"select_actions gave no action for seat {seat}, which had asked")
    return read_action(said[seat])


class EnvWorker:
    """Holds the environments of some places, and runs the trials that they are given.

    Args:
        shelves: where places leave their pictures; those without one return them.
    """

    def __init__(
        self,
        make_env: Callable[[int], Any],
        settings: RolloutSettings,
        buffers: Mapping[Place, SharedImageBuffer],
    ) -> None:
        self._make_env, self._settings, self._buffers = make_env, settings, buffers
        self._envs: dict[Place, Any] = {}
        self._courses: dict[Place, Generator[ObservationRequest, np.ndarray | Mistake, Record]] = {}

    def __call__(self, job: Mapping[Place, Begin]) -> dict[Place, ObservationRequest | Record]:
        """Give every place its trial or its action; returns what each asks next, or its record."""
        return {place: self._go_on(place, given) for place, given in job.items()}

    def _go_on(self, place: Place, given: Begin) -> ObservationRequest | Record:
        if isinstance(given, RolloutJob):
            env = self._envs.get(place) or self._make_env(self._settings.action_repeat)
            self._envs[place] = env
            self._courses[place] = run_trial(env, given, self._settings)
            request = next(self._courses[place])
        else:
            try:
                request = self._courses[place].send(given)
            except StopIteration as end:
                return end.value
        buffer = self._buffers.get(place)
        return request if buffer is None else _without_pictures(request, buffer)

    def close(self) -> None:
        with ExitStack() as stack:
            for env in self._envs.values():
                stack.callback(env.close)
            for course in self._courses.values():
                stack.callback(course.close)


def _without_pictures(request: ObservationRequest, buffer: SharedImageBuffer) -> ObservationRequest:
    """Pictures are left on the shelf, in order; of each, only the shape travels."""
    shapes, start = {}, 0
    for camera, picture in request.observation["rgb_obs"].items():
        np.frombuffer(buffer, np.uint8, picture.size, start)[:] = picture.ravel()
        shapes[camera] = picture.shape
        start += picture.size
    return replace(request, observation=request.observation | {"rgb_obs": shapes})


def _with_pictures(request: ObservationRequest, buffer: SharedImageBuffer) -> ObservationRequest:
    """The question as it was asked; pictures are copied, as the shelf is used again."""
    pictures, start = {}, 0
    for camera, shape in request.observation["rgb_obs"].items():
        size = int(np.prod(shape))
        pictures[camera] = np.frombuffer(buffer, np.uint8, size, start).reshape(shape).copy()
        start += size
    return replace(request, observation=request.observation | {"rgb_obs": pictures})
