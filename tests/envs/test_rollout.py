"""The loop over one task, on a world that counts."""

import numpy as np
import pytest

from firsthand.envs.rollout import TaskRollout


class Counting:
    """Succeeds at its `done`-th action."""

    def __init__(self, done: int) -> None:
        self.actions, self.done = 0, done

    def set_task(self, task, instruction):
        return {"given": (task, instruction), "actions": self.actions}

    def step(self, action):
        self.actions += 1
        success = self.actions == self.done
        return {"seen": self.actions}, float(success), success, False, {"actions": self.actions}


@pytest.mark.parametrize(
    ("done", "max_steps", "repeat", "actions", "success"),
    [
        (4, 360, 3, 4, True),
        (99, 10, 3, 3, False),  # a fourth action would go beyond the limit
        (99, 9, 3, 3, False),
        (3, 9, 3, 3, True),
        (1, 2, 3, 0, False),
    ],
)
def test_a_task_ends_when_it_has_succeeded_or_time_is_up(done, max_steps, repeat, actions, success):
    env = Counting(done)
    rollout = TaskRollout(env, "open_drawer", "open it", {"seen": 0}, max_steps, repeat)
    assert rollout.info == {"given": ("open_drawer", "open it"), "actions": 0}
    while rollout.running:
        assert rollout.observation == {"seen": env.actions}
        rollout.step(np.zeros(7))
    assert (env.actions, rollout.steps, rollout.success) == (actions, actions * repeat, success)
