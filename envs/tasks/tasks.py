"""What the robot can be asked to do, and how one tells that it was done.

The 34 names, their order and the success conditions are those of CALVIN (Mees et al. 2022).
"""

from dataclasses import dataclass

from firsthand.envs.tasks.conditions import (
    BlockLifted,
    BlockPlaced,
    BlockPushed,
    BlockPushedInto,
    BlockRotated,
    BlockStacked,
    BlockUnstacked,
    Condition,
    DoorMoved,
    LightToggled,
)
from firsthand.envs.tasks.contacts import Info, at_rest, let_go

# scene_obs: six joints and lights, then position (m) and Euler angles (rad) of each block.
SLIDE, DRAWER, BUTTON, SWITCH, BULB, LED = range(6)
BLOCKS = ("block_red", "block_blue", "block_pink")
COLOURS = ("red", "blue", "pink")
SCENE_SIZE = 6 + 6 * len(BLOCKS)
STEADY_STEPS = 3  # consecutive control steps that `require_stable` asks for


def block_slice(block: str) -> slice:
    """Where `scene_obs` keeps the six numbers of a block."""
    start = 6 + 6 * BLOCKS.index(block)
    return slice(start, start + 6)


@dataclass(frozen=True)
class Task:
    """An instruction's meaning. A chain of instructions never has two tasks of one `category`."""

    name: str
    category: str
    condition: Condition

    def succeeded(self, start_info: Info, info: Info) -> bool:
        """Whether the task, given when the world was in `start_info`, is done in `info`: exactly
        CALVIN's condition."""
        return self.condition.succeeded(start_info, info)


class SuccessDetector:
    """Watches one task from the moment it is given.

    CALVIN counts the first control step on which a condition holds. Contacts flicker, though: a
    block that bounces for one step touches nothing, and has then been "unstacked". With
    `require_stable`, the condition must hold for `STEADY_STEPS` control steps in a row, and on each
    of them the blocks that the condition says must be resting lie still; and what the robot still
    touches of the task before counts as let go (`let_go`).

    Args:
        start: the world when the task was given.
        require_stable: False reproduces CALVIN's behaviour.

    Raises:
        KeyError: there is no such task.
    """

    def __init__(self, task: str, start: Info, require_stable: bool = True) -> None:
        self._task = TASKS[task]
        self._start = let_go(start) if require_stable else start
        self._require_stable = require_stable
        self._steady = 0

    def update(self, info: Info) -> bool:
        """Whether the task is done now; to be asked once every control step."""
        done = self._task.succeeded(self._start, info)
        if not self._require_stable or not done:
            self._steady = 0
            return done
        resting = self._task.condition.resting(self._start, info)
        self._steady = self._steady + 1 if all(at_rest(info, block) for block in resting) else 0
        return self._steady >= STEADY_STEPS


def _tasks() -> dict[str, Task]:
    tasks: list[Task] = []
    for colour, block in zip(COLOURS, BLOCKS, strict=True):
        for side, degrees in (("right", -60.0), ("left", 60.0)):
            name = f"rotate_{colour}_block_{side}"
            tasks.append(Task(name, "rotate_push", BlockRotated(block, degrees)))
    for colour, block in zip(COLOURS, BLOCKS, strict=True):
        for side, by in (("right", 0.1), ("left", -0.1)):
            name = f"push_{colour}_block_{side}"
            tasks.append(Task(name, "rotate_push", BlockPushed(block, by)))
    tasks += [
        Task("move_slider_left", "slider", DoorMoved("base__slide", 0.15)),
        Task("move_slider_right", "slider", DoorMoved("base__slide", -0.15)),
        Task("open_drawer", "drawer", DoorMoved("base__drawer", 0.12)),
        Task("close_drawer", "drawer", DoorMoved("base__drawer", -0.12)),
    ]
    places = (("table", 0.05, "base_link"), ("slider", 0.03, "plank_link"))
    for colour, block in zip(COLOURS, BLOCKS, strict=True):
        for place, rise, link in (*places, ("drawer", 0.05, "drawer_link")):
            lifted = BlockLifted(block, rise, link)
            tasks.append(Task(f"lift_{colour}_block_{place}", f"lift_{place}", lifted))
    tasks += [
        Task("place_in_slider", "place", BlockPlaced("plank_link")),
        Task("place_in_drawer", "place", BlockPlaced("drawer_link")),
        Task("stack_block", "stack", BlockStacked()),
        Task("unstack_block", "unstack", BlockUnstacked()),
    ]
    tasks += [
        Task(f"turn_{'off' if before else 'on'}_{light}", "light", toggled)
        for light in ("lightbulb", "led")
        for before in (False, True)
        for toggled in (LightToggled(light, before),)
    ]
    into = BlockPushedInto("base_link", "drawer_link")
    tasks.append(Task("push_into_drawer", "push_into", into))
    return {task.name: task for task in tasks}


TASKS: dict[str, Task] = _tasks()
