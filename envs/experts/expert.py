"""Scripted experts: they know where everything is, and act through the public actions alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from firsthand.common.errors import UserError
from firsthand.envs.experts.motion import action, reached
from firsthand.envs.experts.plans import PLANS
from firsthand.envs.experts.target_lag import TargetLag
from firsthand.envs.experts.world_view import ExpertParams, Waypoint, WorldView
from firsthand.envs.playtable.layouts import DeskLayout
from firsthand.envs.rollout import CONTROL_HZ

PATIENCE = 90  # control steps a waypoint may take before the plan is begun again
BURST_CHANCE = 0.08  # of a burst of noise to begin at an undisturbed step
BURST_STEPS = (3, 6)  # how many steps a burst lasts, at 10 Hz
SLIP_CHANCE = 0.2  # of a burst in which the gripper does the opposite as well


class Expert:
    """Follows a task's waypoints, from the measured pose and what `info` says about the world.

    The action depends on the current state, the state in which the task was given and the waypoint.
    A waypoint not reached in time, or a plan finished in vain, starts the plan again. Details of
    how a task is done (`ExpertParams`) are drawn anew for every attempt: no two look alike.

    With `noise` above 0, bursts of a few steps push the executed action in a random direction by
    about that much (in units of full action), some of them with the gripper doing the opposite, and
    the clean action stays the one to learn from (DART, Laskey et al. 2017).

    Args:
        layout: the scene's fixtures; the world's `layout`.
        rng: of style and noise.

    Raises:
        UserError: there is no expert for the task.
    """

    def __init__(
        self, task: str, layout: DeskLayout, *, rng: np.random.Generator, noise: float = 0.0
    ) -> None:
        if task not in PLANS:
            raise UserError(f"no expert for task {task!r}; there is one for {', '.join(PLANS)}")
        self.task = task
        self.noise = noise
        self._styles, self._rng = rng.spawn(2)
        self._style = ExpertParams.draw(self._styles)
        self._layout = layout
        self._plan = PLANS[task]
        self._start: Mapping[str, Any] | None = None
        self._tool: Float[np.ndarray, " 3"] | None = None
        self._index = 0
        self._length = 0
        self._waited = 0
        self._burst_left = 0
        self._push: Float[np.ndarray, " 6"] = np.zeros(6)
        self._slips = False
        self._lead = TargetLag()

    def act(
        self,
        info: Mapping[str, Any],
        action_repeat: int,
        instead: Float[np.ndarray, "7"] | None = None,
    ) -> tuple[Float[np.ndarray, "7"], Float[np.ndarray, "7"]]:
        """The action to learn from and the one to execute, each lasting `action_repeat` control
        steps. The first `info` must be from the moment when the task was given. What is executed
        is `instead` where somebody else acts, whom the expert only advises."""
        self._start = self._start or info
        tool = info["robot_info"]["tcp_pos"]
        before = tool if self._tool is None else self._tool
        self._tool = tool
        velocity = (tool - before) / action_repeat
        view = WorldView(info, self._start, self._layout, self._style, velocity)
        clean = action(self._next_waypoint(view, action_repeat), view, action_repeat)
        push, slips = self._disturbance(action_repeat)
        executed = np.append(np.clip(clean[:6] + push, -1, 1), -clean[6] if slips else clean[6])
        if self._layout.original:
            clean[:6] = self._lead.limited(clean[:6], view, action_repeat)
            executed[:6] = self._lead.limited(executed[:6], view, action_repeat)
        if instead is not None:
            executed = instead
        if self._layout.original:
            self._lead.add(executed[:6], action_repeat)
        return clean, executed

    def _next_waypoint(self, view: WorldView, action_repeat: int) -> Waypoint:
        waypoints = self._plan(view)
        self._waited += action_repeat
        if len(waypoints) != self._length:  # another way to do it now seems better
            self._index, self._length = 0, len(waypoints)
        if self._waited > PATIENCE or not waypoints[self._index].open:
            self._begin_again()
        while reached(waypoints[self._index], view.info["robot_info"]):
            self._index += 1
            self._waited = 0
            if self._index == len(waypoints):
                self._begin_again()
                break
        return waypoints[self._index]

    def _begin_again(self) -> None:
        self._index = self._waited = 0
        self._style = ExpertParams.draw(self._styles)

    def _disturbance(self, action_repeat: int) -> tuple[Float[np.ndarray, "6"], bool]:
        """A push on the arm, and whether the gripper slips."""
        if self.noise == 0:
            return np.zeros(6), False
        if self._burst_left > 0:
            self._burst_left -= action_repeat
        elif self._rng.random() < BURST_CHANCE * action_repeat / 3:
            self._burst_left = 3 * int(self._rng.integers(*BURST_STEPS, endpoint=True))
            self._push = self._rng.normal(size=6) * self.noise
            self._slips = self._rng.random() < SLIP_CHANCE
        if self._burst_left <= 0:
            return np.zeros(6), False
        return self._push, self._slips


class ExpertPolicy:
    """An expert behind the interface of an evaluated policy. Being `privileged`, it is shown `info`
    and `task` and the world's `layout` besides pictures and state; the instruction it ignores.
    """

    privileged = True

    def __init__(self, seed: int = 0, noise: float = 0.0, control_hz: float = 10.0) -> None:
        self.control_hz = control_hz
        self._seed = seed
        self._noise = noise
        self._expert: Expert | None = None

    def reset(self, instruction: str) -> None:
        """Begins anew; the task is learnt from the first observation."""
        self._expert = None

    def select_action(self, observation: dict[str, Any]) -> Float[np.ndarray, "7"]:
        """The action to execute."""
        if self._expert is None:
            rng = np.random.default_rng(self._seed)
            task, layout = observation["task"], observation["layout"]
            self._expert = Expert(task, layout, rng=rng, noise=self._noise)
        action_repeat = round(CONTROL_HZ / self.control_hz)
        return self._expert.act(observation["info"], action_repeat)[1]
