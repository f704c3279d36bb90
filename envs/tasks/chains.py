"""Five instructions in a row: CALVIN's 1000 evaluation chains, by an own generator.

After CALVIN's long-horizon protocol (Mees et al. 2022): a chain is a row of five tasks of different
categories, in which each has exactly one rule that applies when its turn comes. Every starting
condition has a generator of its own, from which rows are drawn until enough are valid; NumPy
promises that its legacy generator never changes, so that these are the chains of every paper.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Int16

from firsthand.envs.tasks.symbolic import (
    CATEGORIES,
    RULES,
    SymbolicState,
    follow,
    initial_conditions,
)

LENGTH = 5
OFFICIAL = 1000
_WORDS = 1 << 20  # drawn at once


@dataclass(frozen=True)
class Chain:
    """A row of tasks and the state in which the first is given."""

    index: int
    initial: SymbolicState
    tasks: tuple[str, ...]


def chain(index: int) -> Chain:
    """One of the official thousand.

    Raises:
        IndexError: there are only a thousand.
    """
    return all_chains()[index]


@cache
def all_chains(n: int = OFFICIAL) -> tuple[Chain, ...]:
    """`n` chains, in order those that CALVIN's `get_sequences(n)` gives; a thousand are official.
    Another `n` gives other chains: the first hundred are `all_chains()[:100]`."""
    conditions = initial_conditions()
    shares = [len(share) for share in np.array_split(np.arange(n), len(conditions))]
    found = [
        (condition, tasks)
        for seed, (condition, share) in enumerate(zip(conditions, shares, strict=True))
        for tasks in _draw(condition, share, seed)
    ]
    np.random.RandomState(0).shuffle(found)  # noqa: NPY002
    return tuple(Chain(index, *pair) for index, pair in enumerate(found))


def _draw(condition: SymbolicState, n: int, seed: int) -> list[tuple[str, ...]]:
    """The first `n` valid rows of a condition's generator."""
    from firsthand.envs.tasks.chain_kernels import (
        find_chain,  # here, because numba takes a while to load
    )

    states, successor = _successors()
    tasks, category = list(RULES), np.array([CATEGORIES[task] for task in RULES])
    generator = np.random.RandomState(seed)  # noqa: NPY002
    words = np.empty(0, np.uint32)
    order, row = np.empty(len(tasks), np.int64), np.empty(LENGTH, np.int64)
    rows: list[tuple[str, ...]] = []
    while len(rows) < n:
        complete, used = find_chain(words, successor, category, states[condition], order, row)
        if complete:
            rows.append(tuple(tasks[i] for i in row))
        words = words[used:]
        if not complete:
            more = generator.randint(0, 1 << 32, _WORDS, np.uint32)
            words = np.concatenate([words, more])
    return rows


@cache
def _successors() -> tuple[dict[SymbolicState, int], Int16[np.ndarray, "states tasks"]]:
    """Every state that can be reached with its number, and which follows which by which task."""
    numbers = {condition: i for i, condition in enumerate(initial_conditions())}
    reached, rows = list(numbers), []
    for state in reached:  # which grows
        afters = [follow(state, task) for task in RULES]
        for after in afters:
            if after is not None and after not in numbers:
                numbers[after] = len(reached)
                reached.append(after)
        rows.append([-1 if after is None else numbers[after] for after in afters])
    return numbers, np.array(rows, np.int16)
