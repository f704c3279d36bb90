"""Environments in worker processes, commanded and answered without waiting for each other: `send`
and `recv`, as in EnvPool (Weng et al. 2022), but of whole trials (`envs.evaluation.rollout`)."""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from firsthand.common import workers
from firsthand.envs.evaluation.policy_errors import PolicyError
from firsthand.envs.evaluation.records import Record
from firsthand.envs.evaluation.rollout import ObservationRequest, RolloutSettings, run_trial
from firsthand.envs.evaluation.trials import RolloutJob

# What an environment is given: a trial, the action it asked for, or the error made instead.
Command = RolloutJob | np.ndarray | PolicyError
# What it gives: an observation to be answered with an action, or the record of its trial.
Answer = ObservationRequest | Record
SharedImageBuffer = Any  # shared memory, where an environment leaves its images


@contextmanager
def env_pool(
    make_env: Callable[[int], Any],
    settings: RolloutSettings,
    num_envs: int,
    n_workers: int,
    image_bytes: int,
) -> Iterator["EnvPool"]:
    """Environments that are made when they get their first trial.

    Args:
        make_env: makes an environment, given how many control steps an action lasts.
        n_workers: processes that hold the environments; 0 uses this one.
        image_bytes: of all images of an observation.
    """
    n_workers = min(n_workers, num_envs)
    if n_workers == 0:
        with workers.in_process(partial(EnvWorker, make_env, settings, {})) as pool:
            yield EnvPool(pool, [0] * num_envs, {})
        return
    worker_of = [index % n_workers for index in range(num_envs)]
    context = get_context("spawn")
    buffers = {index: context.RawArray("B", max(1, image_bytes)) for index in range(num_envs)}
    makes = [
        partial(
            EnvWorker, make_env, settings, {i: b for i, b in buffers.items() if worker_of[i] == w}
        )
        for w in range(n_workers)
    ]
    with workers.process_pool(makes) as pool:
        yield EnvPool(pool, worker_of, buffers)


class EnvPool:
    """Sends environments their commands and receives their answers.

    Args:
        pool: the processes, with an `EnvWorker` each.
        worker_of: which process holds which environment.
        buffers: where environments leave their images; those without one return them.
    """

    def __init__(
        self,
        pool: workers.WorkerPool,
        worker_of: Sequence[int],
        buffers: Mapping[int, SharedImageBuffer],
    ) -> None:
        self._pool, self._worker_of, self._buffers = pool, worker_of, buffers
        self._trials: dict[int, str] = {}

    def send(self, commands: Mapping[int, Command]) -> None:
        """Give each of some environments its trial or its action, by the environment's index."""
        messages: dict[int, _Commands] = defaultdict(_Commands)
        for index, command in commands.items():
            if isinstance(command, RolloutJob):
                self._trials[index] = str(command)
            message = messages[self._worker_of[index]]
            message[index] = command
            message.trials.append(self._trials[index])
        for worker, message in messages.items():
            self._pool.submit(worker, message)

    def recv(self) -> dict[int, Answer] | None:
        """Wait for a process; returns the answers to what one `send` gave it, or None if none has
        anything to do.

        Raises:
            UserError: an environment raised one.
            RuntimeError: a process failed; says at which trials.
        """
        if (done := self._pool.next_result()) is None:
            return None
        answers: dict[int, Answer] = done[2]
        return {index: self._with_images(index, answer) for index, answer in answers.items()}

    def _with_images(self, index: int, answer: Answer) -> Answer:
        """The request as it was made; images are copied, as the buffer is used again."""
        if index not in self._buffers or not isinstance(answer, ObservationRequest):
            return answer
        images, start = {}, 0
        for camera, shape in answer.observation["rgb_obs"].items():
            size = int(np.prod(shape))
            stored = np.frombuffer(self._buffers[index], np.uint8, size, start)
            images[camera] = stored.reshape(shape).copy()
            start += size
        return replace(answer, observation=answer.observation | {"rgb_obs": images})


class _Commands(dict[int, Command]):
    """What is sent to one process at once. Only the dictionary travels; an error names `trials`."""

    def __init__(self) -> None:
        super().__init__()
        self.trials: list[str] = []

    def __str__(self) -> str:
        return "; ".join(self.trials)

    def __reduce__(self) -> tuple[type, tuple[dict[int, Command]]]:
        return dict, (dict(self),)


class EnvWorker:
    """Holds environments, by index, and runs the trials that they are given.

    Args:
        buffers: where environments leave their images; those without one return them.
    """

    def __init__(
        self,
        make_env: Callable[[int], Any],
        settings: RolloutSettings,
        buffers: Mapping[int, SharedImageBuffer],
    ) -> None:
        self._make_env, self._settings, self._buffers = make_env, settings, buffers
        self._envs: dict[int, Any] = {}
        self._trials: dict[
            int, Generator[ObservationRequest, np.ndarray | PolicyError, Record]
        ] = {}

    def __call__(self, commands: Mapping[int, Command]) -> dict[int, Answer]:
        """Give environments their trials or actions; returns what each asks next, or its record."""
        return {index: self._advance(index, command) for index, command in commands.items()}

    def _advance(self, index: int, command: Command) -> Answer:
        if isinstance(command, RolloutJob):
            env = self._envs.get(index) or self._make_env(self._settings.action_repeat)
            self._envs[index] = env
            self._trials[index] = run_trial(env, command, self._settings)
            request = next(self._trials[index])
        else:
            try:
                request = self._trials[index].send(command)
            except StopIteration as end:
                return end.value
        buffer = self._buffers.get(index)
        return request if buffer is None else _without_images(request, buffer)

    def close(self) -> None:
        with ExitStack() as stack:
            for env in self._envs.values():
                stack.callback(env.close)
            for trial in self._trials.values():
                stack.callback(trial.close)


def _without_images(request: ObservationRequest, buffer: SharedImageBuffer) -> ObservationRequest:
    """Images are left in the buffer, one after another; of each, only the shape travels."""
    shapes, start = {}, 0
    for camera, image in request.observation["rgb_obs"].items():
        np.frombuffer(buffer, np.uint8, image.size, start)[:] = image.ravel()
        shapes[camera] = image.shape
        start += image.size
    return replace(request, observation=request.observation | {"rgb_obs": shapes})
