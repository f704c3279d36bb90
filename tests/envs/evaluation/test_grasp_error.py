"""How far from a block the fingers close."""

import numpy as np
import pytest

from firsthand.envs.evaluation.grasp_error import HIT, GraspErrors, GraspMonitor
from firsthand.envs.evaluation.rollout import RolloutRunner
from firsthand.envs.evaluation.summary import ChainResults
from firsthand.envs.evaluation.trials import RolloutJob, Trial
from firsthand.envs.experts.expert import ExpertPolicy
from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.tasks.initial_states import initial_state


def seen(fingers: float) -> dict:
    return {"robot_obs": np.array([0.0] * 14 + [fingers])}


def known(tool: tuple, *blocks: tuple) -> dict:
    named = {f"block {n}": {"current_pos": place} for n, place in enumerate(blocks)}
    return {"robot_info": {"tcp_pos": tool}, "scene_info": {"movable_objects": named}}


def closing(*moments: tuple[float, tuple]) -> GraspMonitor:
    """Fingers and tool over time, among blocks at x = 0 and x = 1."""
    blocks = ((0.0, 0.0, 0.4), (1.0, 0.0, 0.9))
    (fingers, tool), *rest = moments
    watcher = GraspMonitor(seen(fingers), known(tool, *blocks))
    for fingers, tool in rest:
        watcher.update(seen(fingers), known(tool, *blocks))
    return watcher


def test_the_distance_is_where_the_tool_was_when_told_to_close():
    tools = [(0.5, 0, 0.5), (0.97, 0.04, 0.5), (0.2, 0, 0.5)]
    watcher = closing(*zip([1.0, 1.0, -1.0], tools, strict=True))
    assert watcher.error == pytest.approx(0.05)  # height does not count


def test_only_the_first_closing_of_open_fingers_counts():
    assert closing((-1.0, (0.3, 0, 0)), (-1.0, (0.2, 0, 0))).error is None  # held all along
    assert closing((1.0, (0.3, 0, 0)), (1.0, (0.2, 0, 0))).error is None
    again = closing(
        (1.0, (0.3, 0, 0)), (-1.0, (0.2, 0, 0)), (1.0, (0.1, 0, 0)), (-1.0, (0.0, 0, 0))
    )
    assert again.error == pytest.approx(0.3)
    opened_first = closing((-1.0, (0.3, 0, 0)), (1.0, (0.1, 0, 0)), (-1.0, (0.0, 0, 0)))
    assert opened_first.error == pytest.approx(0.1)


def test_experts_close_their_fingers_around_the_block():
    robot_obs, scene_obs = initial_state("lift_red_block_table", 1, 0, scene="D")
    trial = Trial(0, "D", ("lift_red_block_table",), ("lift it",), robot_obs, scene_obs)
    examiner = RolloutRunner(
        ExpertPolicy, lambda repeat: PlayTable("D", cameras={}, action_repeat=repeat), 360
    )
    record = examiner(RolloutJob(trial, None, None))
    examiner.close()
    assert record["success"]
    assert 0 < record["subtasks"][0]["grasp_error"] < HIT


def test_errors_are_told_apart_by_outcome():
    def subtask(task: str, success: bool, error: float | None) -> dict:
        return {"task": task, "success": success, "grasp_error": error}

    subtasks = [
        subtask("lift_red_block_table", True, 0.01),
        subtask("lift_red_block_table", True, 0.03),
        subtask("open_drawer", True, 0.5),  # nothing to be grasped
        subtask("stack_block", False, 0.06),
        subtask("rotate_blue_block_left", False, None),
    ]
    tasks = [s["task"] for s in subtasks]
    records = ({"subtasks": subtasks, "solved": 3, "tasks": tasks},)
    assert GraspErrors.of(records, success=True) == GraspErrors(2, 2, 0.02, 1)
    assert GraspErrors.of(records, success=False) == GraspErrors(2, 1, 0.06, 0)
    results = ChainResults(records)
    assert results.summary()["grasps"]["failure"]["median"] == 0.06
    assert "Of grasps that failed: the fingers closed in 1 of 2 attempts, 6.0 cm" in (
        results.markdown()
    )
