"""The Franka Panda of PyBullet's data package with longer fingers, as CALVIN drives it."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from firsthand.rendering.bullet import pybullet

BASE_POSITION = (-0.34, -0.46, 0.24)
INITIAL_JOINTS = (
    -1.21779206, 1.03987646, 2.11978261, -2.34205014, -0.87015947, 1.64119353, 0.55344866
)  # fmt: skip
LOWER = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])
UPPER = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])
MAX_STEP = np.array([0.02] * 3 + [0.05] * 3)  # metres and radians a control step at action 1
MAX_LEAD = np.array([0.06] * 3 + [0.25] * 3)  # how far the target may run ahead of the tool
MAX_TURN = 0.25  # rad a control step by which joint actions may lead the joints
MAX_WIDTH = 0.08  # metres between the open fingers
REACH = 1.2  # metres: no target, and no tool, is further from the arm's base along any axis
OPEN, CLOSE = 1.0, -1.0

ARM_FORCE, ARM_SPEED = 200, 2
GRIPPER_FORCE = {OPEN: 2, CLOSE: 200}


def wrap(angles: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Angles brought into [-pi, pi)."""
    return (angles + math.pi) % (2 * math.pi) - math.pi


def load_pedestal(client: int) -> None:
    """Makes the column the arm stands on; it can be seen but not touched."""
    x, y, height = BASE_POSITION
    shape = pybullet.createVisualShape(
        pybullet.GEOM_CYLINDER, radius=0.13, length=height, rgbaColor=(0.3, 0.3, 0.32, 1),
        physicsClientId=client,
    )  # fmt: skip
    pybullet.createMultiBody(
        baseVisualShapeIndex=shape, basePosition=(x, y, height / 2), physicsClientId=client
    )


class Panda:
    """The arm in one physics client, driven towards a target pose of its tool point.

    `gripper_action` is the last command, 1 (open) or -1 (closed).
    """

    def __init__(self, client: int, urdf: Path) -> None:
        self.client = client
        self.body = pybullet.loadURDF(
            str(urdf), BASE_POSITION, useFixedBase=True, physicsClientId=client
        )
        count = pybullet.getNumJoints(self.body, physicsClientId=client)
        info = [pybullet.getJointInfo(self.body, i, physicsClientId=client) for i in range(count)]
        links = {item[12].decode(): item[0] for item in info}
        self.arm = [links[f"panda_link{i}"] for i in range(1, 8)]
        self.fingers = [links["panda_leftfinger"], links["panda_rightfinger"]]
        self.tool, self.camera = links["tcp"], links["gripper_cam"]
        self.gripper_action = OPEN
        self._position: Float[np.ndarray, " 3"] = np.zeros(3)
        self._euler: Float[np.ndarray, " 3"] = np.zeros(3)
        gear = pybullet.createConstraint(
            self.body, self.fingers[0], self.body, self.fingers[1],
            pybullet.JOINT_GEAR, (1, 0, 0), (0, 0, 0), (0, 0, 0), physicsClientId=client,
        )  # fmt: skip
        pybullet.changeConstraint(gear, gearRatio=-1, erp=0.1, maxForce=50, physicsClientId=client)

    def reset(self, robot_obs: Float[np.ndarray, "15"]) -> None:
        """Puts joints, fingers and the last gripper command where an observation had them."""
        positions = [*robot_obs[7:14], robot_obs[6] / 2, robot_obs[6] / 2]
        for joint, position in zip(self.arm + self.fingers, positions, strict=True):
            pybullet.resetJointState(self.body, joint, position, 0, physicsClientId=self.client)
        self.gripper_action = float(robot_obs[14])
        self._hold()

    def command(self, action_type: str, action: Float[np.ndarray, "n"]) -> None:
        """Sets the motors for one control step from what `envs.actions.read` returned.

        Every kind of action leaves its target behind for relative ones to start from. (CALVIN's
        own absolute and joint actions leave the old one, so that the arm jumps back.)
        """
        self.gripper_action = float(action[-1])
        if action_type in ("joint_abs", "joint_rel"):
            joints = action[:7] + self._joints()[:7] if action_type == "joint_rel" else action[:7]
            self._turn_to(joints)
            self._hold()
        else:
            self._set_target(action_type, action[:-1])
            self._reach()
        self._drive_gripper()

    def _set_target(self, action_type: str, action: Float[np.ndarray, "n"]) -> None:
        """Moves the target of the tool's pose.

        As in CALVIN a relative action adds to the stored target, not to the measured pose. Unlike
        there, the target stays within `MAX_LEAD` of the tool, so pushing against something does not
        have to be undone afterwards.
        """
        if action_type == "cartesian_abs":
            self._position, self._euler = action[:3], action[3:6]
            return
        if action_type == "cartesian_abs_quat":
            self._position = action[:3]
            self._euler = np.array(pybullet.getEulerFromQuaternion(action[3:7].tolist()))
            return
        if action_type == "cartesian_rel_measured":
            self._hold()
        position, quaternion = self.tool_pose()
        euler = np.array(pybullet.getEulerFromQuaternion(quaternion))
        step = action * MAX_STEP
        lead = self._position + step[:3] - position
        self._position = position + np.clip(lead, -MAX_LEAD[:3], MAX_LEAD[:3])
        turn = wrap(self._euler + step[3:] - euler)
        self._euler = wrap(euler + np.clip(turn, -MAX_LEAD[3:], MAX_LEAD[3:]))

    def _hold(self) -> None:
        """Makes the pose where the tool is the target."""
        position, quaternion = self.tool_pose()
        self._position = np.array(position)
        self._euler = np.array(pybullet.getEulerFromQuaternion(quaternion))

    def _reach(self) -> None:
        """Drives the joints to where the tool would be at its target."""
        solution = pybullet.calculateInverseKinematics(
            self.body, self.tool, self._position, pybullet.getQuaternionFromEuler(self._euler),
            lowerLimits=[-7] * 9, upperLimits=[7] * 9, jointRanges=[7] * 9,
            restPoses=[*INITIAL_JOINTS, 0.04, 0.04], physicsClientId=self.client,
        )  # fmt: skip
        self._turn_to(np.array(solution[:7]))

    def _turn_to(self, joints: Float[np.ndarray, "7"]) -> None:
        for joint, target in zip(self.arm, np.clip(joints, LOWER, UPPER), strict=True):
            pybullet.setJointMotorControl2(
                self.body, joint, pybullet.POSITION_CONTROL, targetPosition=target,
                force=ARM_FORCE, maxVelocity=ARM_SPEED, physicsClientId=self.client,
            )  # fmt: skip

    def _drive_gripper(self) -> None:
        target = MAX_WIDTH / 2 if self.gripper_action == OPEN else 0.0
        for joint in self.fingers:
            pybullet.setJointMotorControl2(
                self.body, joint, pybullet.POSITION_CONTROL, targetPosition=target,
                force=GRIPPER_FORCE[self.gripper_action], maxVelocity=1,
                physicsClientId=self.client,
            )  # fmt: skip

    def tool_pose(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """World position and quaternion (x, y, z, w) of the tool point."""
        return self._link_pose(self.tool)

    def camera_pose(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """World position and quaternion (x, y, z, w) of the gripper camera's link."""
        return self._link_pose(self.camera)

    def _link_pose(self, link: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        state = pybullet.getLinkState(
            self.body, link, computeForwardKinematics=True, physicsClientId=self.client
        )
        return state[4], state[5]

    def proprioception(self) -> Float[np.ndarray, "15"]:
        """CALVIN's robot_obs: tool xyz, Euler xyz, width, 7 joints, last gripper command."""
        position, quaternion = self.tool_pose()
        joints = self._joints()
        return np.array([
            *position, *pybullet.getEulerFromQuaternion(quaternion), joints[7] + joints[8],
            *joints[:7], self.gripper_action,
        ])  # fmt: skip

    def _joints(self) -> list[float]:
        states = pybullet.getJointStates(
            self.body, self.arm + self.fingers, physicsClientId=self.client
        )
        return [state[0] for state in states]

    def info(self) -> dict[str, Any]:
        """CALVIN's robot_info: the same facts by name, and what the robot touches."""
        obs = self.proprioception()
        return {
            "tcp_pos": obs[:3],
            "tcp_orn": obs[3:6],
            "gripper_opening_width": float(obs[6]),
            "arm_joint_states": obs[7:14],
            "gripper_action": int(obs[14]),
            "uid": self.body,
            "contacts": pybullet.getContactPoints(bodyA=self.body, physicsClientId=self.client),
        }
