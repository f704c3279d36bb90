"""The compiled loop that draws rows of tasks until one makes sense."""

from typing import no_type_check

from firsthand.common.njit import njit


@njit("Tuple((b1, i8))(u4[::1], i2[:,::1], i8[::1], i8, i8[::1], i8[::1])")
@no_type_check
def find_chain(
    words,  # what NumPy's legacy generator (MT19937) gives, 32 bits each
    successor,  # (states, tasks): the state after a task, -1 where it cannot be given
    category,  # (tasks,)
    start,  # a state
    order,  # (tasks,) scratch
    chain,  # (length,) out: the row found
):
    """Shuffles the tasks, exactly as `numpy.random.RandomState.permutation` does with these words,
    until the first few are a row that can be given and whose categories differ.

    Returns whether one was found before the words ran out, and how many words were used up by it,
    or by the shuffles before the unfinished one.
    """
    n, length = len(order), len(chain)
    position = used = 0
    while True:
        for i in range(n):
            order[i] = i
        mask = 63
        for i in range(n - 1, 0, -1):
            while mask >> 1 >= i:
                mask >>= 1
            while True:  # a number of as many bits as i has, until one is no larger than i
                if position == len(words):
                    return False, used
                j = words[position] & mask
                position += 1
                if j <= i:
                    break
            order[i], order[j] = order[j], order[i]
        used = position
        state = start
        seen = 0
        for k in range(length):
            bit = 1 << category[order[k]]
            state = successor[state, order[k]]
            if seen & bit or state < 0:
                break
            seen |= bit
            chain[k] = order[k]
        else:
            return True, used
