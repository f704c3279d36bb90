"""The Franka Panda of PyBullet's data package with longer fingers, as CALVIN drives it."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pybullet_data
from jaxtyping import Float

from envs.bullet import pybullet

BASE_POSITION = (-0.34, -0.46, 0.24)
INITIAL_JOINTS = (
    -1.21779206, 1.03987646, 2.11978261, -2.34205014, -0.87015947, 1.64119353, 0.55344866
)  # fmt: skip
LOWER = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])
UPPER = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])
MAX_STEP = np.array([0.02] * 3 + [0.05] * 3)  # metres and radians a control step at action 1
MAX_LEAD = np.array([0.06] * 3 + [0.25] * 3)  # how far the target may run ahead of the tool
MAX_WIDTH = 0.08  # metres between the open fingers
OPEN, CLOSE = 1.0, -1.0

ARM_FORCE, ARM_SPEED = 200, 2
GRIPPER_FORCE = {OPEN: 2, CLOSE: 200}

WHITE, GREY, DARK = "0.93 0.93 0.94 1", "0.55 0.57 0.60 1", "0.22 0.23 0.25 1"
_COLORS = {"panda_link1": GREY, "panda_link3": GREY, "panda_link5": GREY, "panda_link7": GREY}
_FINGER = """
  <link name="panda_{side}finger">
    <contact><friction_anchor/><stiffness value="30000.0"/><damping value="1000.0"/>
      <spinning_friction value="0.1"/><lateral_friction value="1.0"/></contact>
    <inertial><origin xyz="0 {knuckle} 0.02"/><mass value="0.1"/>
      <inertia ixx="0.1" ixy="0" ixz="0" iyy="0.1" iyz="0" izz="0.1"/></inertial>
    {shapes}
  </link>
"""
_HAND_FRAMES = """
  <link name="gripper_cam"><inertial><mass value="0"/>
    <inertia ixx="0" ixy="0" ixz="0" iyy="0" iyz="0" izz="0"/></inertial></link>
  <joint name="gripper_cam_joint" type="fixed">
    <parent link="panda_hand"/><child link="gripper_cam"/>
    <origin xyz="-0.1 0 0" rpy="1.3 0 -1.57"/></joint>
  <link name="tcp"><inertial><mass value="0"/>
    <inertia ixx="0" ixy="0" ixz="0" iyy="0" iyz="0" izz="0"/></inertial></link>
  <joint name="tcp_joint" type="fixed"><parent link="panda_hand"/><child link="tcp"/>
    <origin xyz="0 0 0.14" rpy="0 0 0"/></joint>
</robot>
"""
# A finger: a knuckle that rides in the hand, and a pad that reaches 1 cm beyond the tool point.
# Extents along the hand's x, y (away from the other finger) and z, from the finger's own frame.
_KNUCKLE = ((-0.0105, 0.0105), (0.0, 0.0264), (0.0, 0.035))
_PAD = ((-0.0105, 0.0105), (0.0, 0.0130), (0.035, 0.0916))


def panda_urdf() -> str:
    """The robot's URDF: light meshes for the eye too, long fingers, tool and camera frames.

    The visual meshes of the package have 102 thousand triangles, its collision meshes 3 thousand.
    """
    folder = Path(pybullet_data.getDataPath()) / "franka_panda"
    text = (folder / "panda.urdf").read_text()
    text = text.replace("meshes/visual", "meshes/collision")
    text = text.replace("package://", f"{folder.as_posix()}/")
    for side in ("left", "right"):
        text = _replace_link(text, f"panda_{side}finger", _finger(side))
    text = _replace_link(text, "panda_grasptarget", "")
    text = re.sub(r'<joint name="panda_grasptarget_hand".*?</joint>', "", text, flags=re.S)
    text = re.sub(r"<material name=\"[^\"]*\"\s*(/>|>.*?</material>)", "", text, flags=re.S)
    for link in re.findall(r'<link name="(panda_link\d|panda_hand)"', text):
        color = DARK if link == "panda_hand" else _COLORS.get(link, WHITE)
        material = f'<material name="{link}_color"><color rgba="{color}"/></material></visual>'
        start = text.index(f'<link name="{link}"')
        head, tail = text[:start], text[start:]
        text = head + tail.replace("</visual>", material, 1) if "<visual>" in tail else text
    return text.replace("</robot>", _HAND_FRAMES)


def _replace_link(text: str, name: str, new: str) -> str:
    return re.sub(rf'<link name="{name}">.*?</link>', lambda _: new, text, count=1, flags=re.S)


def _finger(side: str) -> str:
    sign = 1 if side == "left" else -1
    shapes = []
    for kind in ("visual", "collision"):
        for index, (x, y, z) in enumerate((_KNUCKLE, _PAD)):
            center = f"{sum(x) / 2} {sign * sum(y) / 2} {sum(z) / 2}"
            size = f"{x[1] - x[0]} {y[1] - y[0]} {z[1] - z[0]}"
            paint = (
                f'<material name="{side}{index}"><color rgba="{(GREY, DARK)[index]}"/></material>'
            )
            shapes.append(
                f'<{kind}><origin xyz="{center}"/><geometry><box size="{size}"/></geometry>'
                f"{paint if kind == 'visual' else ''}</{kind}>"
            )
    return _FINGER.format(side=side, knuckle=0.01 * sign, shapes="\n".join(shapes))


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
        self.gripper_action = OPEN if robot_obs[14] > 0 else CLOSE
        position, quaternion = self.tool_pose()
        self._position = np.array(position)
        self._euler = np.array(pybullet.getEulerFromQuaternion(quaternion))

    def command(self, action: Float[np.ndarray, "7"]) -> None:
        """Moves the target by one control step's relative action and sets the motors.

        As in CALVIN the action adds to the stored target, not to the measured pose. Unlike there,
        the target stays within `MAX_LEAD` of the tool, so pushing against something does not have
        to be undone afterwards.
        """
        position, quaternion = self.tool_pose()
        euler = np.array(pybullet.getEulerFromQuaternion(quaternion))
        step = action[:6] * MAX_STEP
        lead = self._position + step[:3] - position
        self._position = position + np.clip(lead, -MAX_LEAD[:3], MAX_LEAD[:3])
        turn = wrap(self._euler + step[3:] - euler)
        self._euler = wrap(euler + np.clip(turn, -MAX_LEAD[3:], MAX_LEAD[3:]))
        self.gripper_action = OPEN if action[6] > 0 else CLOSE
        self._drive_arm()
        self._drive_gripper()

    def _drive_arm(self) -> None:
        solution = pybullet.calculateInverseKinematics(
            self.body, self.tool, self._position, pybullet.getQuaternionFromEuler(self._euler),
            lowerLimits=[-7] * 9, upperLimits=[7] * 9, jointRanges=[7] * 9,
            restPoses=[*INITIAL_JOINTS, 0.04, 0.04], physicsClientId=self.client,
        )  # fmt: skip
        targets = np.clip(solution[:7], LOWER, UPPER)
        for joint, target in zip(self.arm, targets, strict=True):
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

    def observe(self) -> Float[np.ndarray, "15"]:
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
        obs = self.observe()
        return {
            "tcp_pos": obs[:3],
            "tcp_orn": obs[3:6],
            "gripper_opening_width": float(obs[6]),
            "arm_joint_states": obs[7:14],
            "gripper_action": int(obs[14]),
            "uid": self.body,
            "contacts": pybullet.getContactPoints(bodyA=self.body, physicsClientId=self.client),
        }
