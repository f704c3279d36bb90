"""Acting while training: a few trials now and then, as numbers and films in the run's logs."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from firsthand.cli.console import say
from firsthand.envs.evaluation.config import EvaluationConfig
from firsthand.envs.evaluation.policy_errors import where
from firsthand.envs.evaluation.rollout import RolloutRunner
from firsthand.envs.evaluation.trials import RolloutJob, task_trial
from firsthand.envs.options import CAMERAS_CALVIN
from firsthand.envs.rollout import CONTROL_HZ
from firsthand.envs.tasks.tasks import TASKS as ALL_TASKS
from firsthand.episodes.sampling.mixture import Part
from firsthand.policy.config import PolicyConfig
from firsthand.training.recipe import Rollout
from firsthand.training.visualize.gif import Film

TASKS = ("open_drawer", "turn_on_led", "push_red_block_left", "lift_blue_block_table")
_INSPECTED = 200  # demonstrations, to find out which tasks they show


def tasks_of(parts: Sequence[Part], policy: PolicyConfig) -> tuple[str, ...]:
    """Up to as many tasks as `TASKS` that are demonstrated, those of `TASKS` first; none if they
    name no task of the PlayTable, or the policy has other cameras than the PlayTable.
    """
    if {camera.name for camera in policy.cameras} - set(CAMERAS_CALVIN):
        return ()
    demonstrated: set[str] = set()
    for part in parts:
        recordings = part.corpus.split("train") if "train" in part.corpus.splits else []
        for recording in recordings[:: max(1, len(recordings) // _INSPECTED)]:
            source = part.corpus.header(int(recording)).source
            named = [source, *source.get("subtasks", ())]
            demonstrated |= {str(one.get("task")) for one in named if isinstance(one, Mapping)}
    usable = [task for task in dict.fromkeys([*TASKS, *ALL_TASKS]) if task in demonstrated]
    return tuple(usable[: len(TASKS)])


def rollouts(policy: PolicyConfig, out: Path, tasks: tuple[str, ...] = TASKS) -> Rollout:
    """What `training.loop.train` calls to see the policy act: one trial of each task, always the
    same ones.

    Returns 1 or 0 for every task, their mean as `success`, and a film of every trial; the films are
    also kept as mp4 in `out`.
    """
    cameras = {camera.name: camera.size for camera in policy.cameras}
    # No evaluation: a rate that the worlds do not know is rounded to the nearest they do.
    repeat = max(1, round(CONTROL_HZ / policy.control_hz))
    config = EvaluationConfig(tasks=tasks, trials=1, cameras=cameras, action_repeat=repeat)

    def rollout(learner: Any, step: int) -> dict[str, float | Film]:
        outcome: dict[str, float | Film] = {}
        solved = []
        make_env = partial(config.env.make, config.cameras)
        with closing(RolloutRunner(lambda: learner, make_env, config.steps, repeat)) as runner:
            for index, task in enumerate(tasks):
                film = out / f"{step:06d}-{task}.mp4"
                record = runner(RolloutJob(task_trial(config, task, 0, index), film, film))
                if record["error"]:
                    say(f"step {step}: the policy could not act: {where(record)}")
                solved.append(float(record["success"]))
                outcome[task] = solved[-1]
                outcome[f"film/{task}"] = read_film(film)
        return outcome | {"success": sum(solved) / len(solved)}

    return rollout


def read_film(path: Path) -> Film:
    """All frames of an mp4."""
    import av

    with av.open(str(path)) as mp4:
        stream = mp4.streams.video[0]
        assert stream.average_rate is not None
        frames = [frame.to_ndarray(format="rgb24") for frame in mp4.decode(stream)]
        return Film(np.stack(frames), float(stream.average_rate))
