"""The original's arm and desk, as `playtable.robot.Panda` and `playtable.scene.Scene`.

Arrays stand where the original has tuples, and blocks come in our order.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from firsthand.envs.calvin.block_order import BlockOrder
from firsthand.envs.playtable.scene import LIGHTS
from firsthand.envs.tasks.tasks import BLOCKS
from firsthand.rendering.bullet import pybullet

Pose = tuple[tuple[float, ...], tuple[float, ...]]


class OriginalArm:
    """The arm of a simulator; what its authors let an action do is left as it is."""

    def __init__(self, simulator: Any) -> None:
        self._simulator, self._robot = simulator, simulator.robot
        joints = range(pybullet.getNumJoints(self._robot.robot_uid, simulator.cid))
        info = [pybullet.getJointInfo(self._robot.robot_uid, i, simulator.cid) for i in joints]
        self._camera = next(item[0] for item in info if item[12] == b"gripper_cam")

    def command(self, action_type: str, action: Float[np.ndarray, "7"]) -> None:
        """Moves the target by a relative action and sets the motors."""
        assert action_type == "cartesian_rel"
        self._robot.apply_action(action.copy())  # the pinned revision writes into it

    def camera_pose(self) -> Pose:
        """World position and quaternion (x, y, z, w) of the gripper camera's link, where the
        original's own camera takes it to be."""
        state = pybullet.getLinkState(
            self._robot.robot_uid, self._camera, physicsClientId=self._simulator.cid
        )
        return state[0], state[1]

    def proprioception(self) -> Float[np.ndarray, "15"]:
        """CALVIN's robot_obs."""
        return self._robot.get_observation()[0]

    def info(self) -> dict[str, Any]:
        """CALVIN's robot_info."""
        info = self._robot.get_observation()[1]
        _as_arrays(info, "tcp_pos", "tcp_orn", "arm_joint_states")
        return info | {"gripper_action": int(info["gripper_action"])}


class OriginalDesk:
    """The desk and the blocks of a simulator."""

    def __init__(self, simulator: Any) -> None:
        self._scene = simulator.scene
        self._order = BlockOrder([block.name for block in self._scene.movable_objects])

    def ordered(self, scene_obs: Float[np.ndarray, "24"]) -> Float[np.ndarray, "24"]:
        """A scene_obs of ours as the original takes it; its lights must be 0 or 1 exactly."""
        scene_obs = self._order.to_original(scene_obs)
        scene_obs[4:6] = scene_obs[4:6] > 0.5
        return scene_obs

    def update_lights(self) -> None:
        """Lets button and switch act on their lamps; called once a control step."""
        self._scene.step()

    @property
    def lights(self) -> dict[str, bool]:
        """Which lamps are on."""
        states = {light.name: bool(light.state.value) for light in self._scene.lights}
        return {name: states[name] for name in LIGHTS}

    def light_colors(self) -> list[tuple[int, int, tuple[float, ...]]]:
        """Body, link and present colour (red, green, blue, opacity) of every lamp."""
        colors = [
            light.color_on if light.state.value else light.color_off for light in self._scene.lights
        ]
        return [
            (light.uid, light.link_id, tuple(map(float, color)))
            for light, color in zip(self._scene.lights, colors, strict=True)
        ]

    def scene_state(self) -> Float[np.ndarray, "24"]:
        """CALVIN's scene_obs with the blocks red, blue, pink."""
        return self._order.to_ours(self._scene.get_obs())

    def info(self) -> dict[str, Any]:
        """CALVIN's scene_info."""
        info = self._scene.get_info()
        blocks = info["movable_objects"]
        for block in blocks.values():
            _as_arrays(block, "current_pos", "current_orn", "current_lin_vel", "current_ang_vel")
        return info | {"movable_objects": {name: blocks[name] for name in BLOCKS}}


def _as_arrays(values: dict[str, Any], *names: str) -> None:
    for name in names:
        values[name] = np.array(values[name], np.float64)
