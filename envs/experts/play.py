"""What to do next when nobody says so: play, as people do who are left alone with a robot.

CALVIN's data set is unsegmented play of which a small part is labelled afterwards (Mees et al.
2022; Lynch et al. 2019, "Learning latent plans from play").
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from firsthand.envs.playtable.layouts import DeskLayout
from firsthand.envs.tasks.contacts import held_block
from firsthand.envs.tasks.feasibility import feasible
from firsthand.envs.tasks.tasks import TASKS


class PlayPlan:
    """Chooses one task after another among those that can be begun from where things are.

    Categories are chosen equally often, then the tasks of a category: else play would be mostly
    pushing blocks about.
    """

    def __init__(self, tasks: Sequence[str], layout: DeskLayout, rng: np.random.Generator) -> None:
        self._tasks, self._layout, self._rng = tasks, layout, rng

    def next_task(self, observation: Mapping[str, Any], info: Mapping[str, Any]) -> str | None:
        """What to do now, or None when nothing can be done."""
        held, scene_obs = held_block(info), observation["scene_obs"]
        categories: dict[str, list[str]] = {}
        for task in self._tasks:
            if feasible(task, scene_obs, self._layout, held):
                categories.setdefault(TASKS[task].category, []).append(task)
        if not categories:
            return None
        chosen = list(categories.values())[self._rng.integers(len(categories))]
        return chosen[self._rng.integers(len(chosen))]
