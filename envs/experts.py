"""Scripted experts: they know where everything is, and act through the public actions alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from envs.experts_waypoints import PLANS, Waypoint
from envs.robot import MAX_STEP, wrap
from episodes.errors import UserError

GAIN = 0.2  # share of the remaining way asked for in a control step
SLOWEST = 0.2  # share of the fastest action below which a move is not slowed while it is longer
CONTROL_HZ = 30
FUNNEL = (0.012, 0.05)  # metres off the way in at which the tool may be at its end, at its start
PATIENCE = 90  # control steps a waypoint may take before the plan is begun again
TURN_TOLERANCE = 0.12  # radians
BURST_CHANCE = 0.08  # of a burst of noise to begin at an undisturbed step
BURST_STEPS = (3, 6)  # how many steps a burst lasts, at 10 Hz
SLIP_CHANCE = 0.2  # of a burst in which the gripper does the opposite as well


class Expert:
    """Follows a task's waypoints, from the measured pose and what `info` says about the world.

    The action depends on the current state and the waypoint only: towards it in a straight line,
    at a speed that falls with the distance left; along its way in, never lower than the funnel
    around it. A waypoint not reached in time, or a plan finished in vain, starts the plan again.

    With `noise` above 0, bursts of a few steps push the executed action in a random direction by
    about that much (in units of full action), some of them with the gripper doing the opposite, and
    the clean action stays the one to learn from (DART, Laskey et al. 2017).

    Raises:
        UserError: there is no expert for the task.
    """

    def __init__(self, task: str, *, rng: np.random.Generator, noise: float = 0.0) -> None:
        if task not in PLANS:
            raise UserError(f"no expert for task {task!r}; there is one for {', '.join(PLANS)}")
        self.task = task
        self.noise = noise
        self._rng = rng
        self._plan = PLANS[task]
        self._index = 0
        self._waited = 0
        self._burst_left = 0
        self._push: Float[np.ndarray, " 6"] = np.zeros(6)
        self._slips = False

    def act(
        self, info: Mapping[str, Any], action_repeat: int
    ) -> tuple[Float[np.ndarray, "7"], Float[np.ndarray, "7"]]:
        """The action to learn from and the one to execute, each lasting `action_repeat` control
        steps."""
        robot = info["robot_info"]
        waypoint = self._next_waypoint(info, action_repeat)
        clean = np.append(_towards(waypoint, robot["tcp_pos"], robot["tcp_orn"], action_repeat), 0)
        clean[6] = waypoint.gripper
        push, slips = self._disturbance(action_repeat)
        executed = np.append(np.clip(clean[:6] + push, -1, 1), -clean[6] if slips else clean[6])
        return clean, executed

    def _next_waypoint(self, info: Mapping[str, Any], action_repeat: int) -> Waypoint:
        waypoints = self._plan(info)
        self._waited += action_repeat
        if self._waited > PATIENCE or not waypoints[self._index].open:
            self._index = self._waited = 0
        while _reached(waypoints[self._index], info["robot_info"]):
            self._index = (self._index + 1) % len(waypoints)
            self._waited = 0
            if self._index == 0:
                break
        return waypoints[self._index]

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


def _reached(waypoint: Waypoint, robot: Mapping[str, Any]) -> bool:
    error, turn = _errors(waypoint, robot["tcp_pos"], robot["tcp_orn"])
    return bool(
        (np.abs(error) < waypoint.tolerance).all()
        and np.abs(turn).max() < TURN_TOLERANCE
        and robot["gripper_opening_width"] < waypoint.width
    )


def _errors(
    waypoint: Waypoint, position: Float[np.ndarray, "3"], euler: Float[np.ndarray, "3"]
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    target = np.array([np.pi, waypoint.pitch, waypoint.yaw])
    return np.array(waypoint.position) - position, wrap(target - euler)


def _towards(
    waypoint: Waypoint,
    position: Float[np.ndarray, "3"],
    euler: Float[np.ndarray, "3"],
    action_repeat: int,
) -> Float[np.ndarray, "6"]:
    """The arm's part of the action: a share of the remaining way, within the speed allowed."""
    error, turn = _errors(waypoint, position, euler)
    share = 1 - (1 - GAIN) ** action_repeat
    way = _through_funnel(error, np.array(waypoint.approach)) / (MAX_STEP[:3] * action_repeat)
    length = max(float(np.linalg.norm(way)), 1e-9)
    move = way / length * min(waypoint.speed, max(share * length, min(SLOWEST, length)))
    rotation = share * turn / (MAX_STEP[3:] * action_repeat)
    rotation *= min(1.0, 1 / max(float(np.abs(rotation).max()), 1e-9))
    return np.concatenate([move, rotation])


def _through_funnel(
    error: Float[np.ndarray, "3"], approach: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3"]:
    """The remaining way, bent so that the tool first gains the height it needs, then crosses over,
    then comes in along `approach`."""
    length = float(np.linalg.norm(approach))
    if length == 0:
        return error
    axis = approach / length
    height = -float(error @ axis)
    across = error + height * axis
    inner, outer = FUNNEL
    needed = length * np.clip((np.linalg.norm(across) - inner) / (outer - inner), 0, 1)
    return across * np.clip(1 - (needed - height - 0.01) / 0.03, 0, 1) + axis * (needed - height)


class ExpertPolicy:
    """An expert behind the interface of an evaluated policy. Being `privileged`, it is shown `info`
    and `task` besides pictures and state; the instruction itself it does not read.
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
            self._expert = Expert(observation["task"], rng=rng, noise=self._noise)
        action_repeat = round(CONTROL_HZ / self.control_hz)
        return self._expert.act(observation["info"], action_repeat)[1]
