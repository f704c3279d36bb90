"""The desk, its blocks, doors, switches and lamps in one physics client."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from firsthand.envs.playtable import layouts
from firsthand.envs.playtable.urdf import block_urdf, table_urdf
from firsthand.rendering.bullet import pybullet

DOORS = ("base__slide", "base__drawer")
LIGHTS = ("lightbulb", "led")
JOINTS = ("base__slide", "base__drawer", "base__button", "base__switch")  # as in scene_obs
LIGHT_LINKS = {"lightbulb": "light_link", "led": "led_link"}
FRICTION_FORCE = 4.0  # newtons that hold a door, and that push the button back
FLOOR_COLOR = (0.50, 0.55, 0.60, 1.0)


def write_urdfs(layout: layouts.DeskLayout, folder: Path) -> None:
    """Writes the desk and its blocks as URDF files for `Scene` to load."""
    (folder / "table.urdf").write_text(table_urdf(layout))
    for name, size in layout.blocks.items():
        (folder / f"{name}.urdf").write_text(block_urdf(name, size))


def load_floor(client: int) -> int:
    """Makes the floor, a slab rather than PyBullet's endless plane, and returns its body."""
    half = (4.0, 4.0, 0.05)
    shape = pybullet.createCollisionShape(
        pybullet.GEOM_BOX, halfExtents=half, physicsClientId=client
    )
    visual = pybullet.createVisualShape(
        pybullet.GEOM_BOX, halfExtents=half, rgbaColor=FLOOR_COLOR, physicsClientId=client
    )
    body = pybullet.createMultiBody(
        0, shape, visual, basePosition=(0, 0, -half[2]), physicsClientId=client
    )
    pybullet.changeDynamics(body, -1, lateralFriction=1.0, physicsClientId=client)
    return body


class Scene:
    """Loads the files of `write_urdfs` and gives doors, button and switch their behaviour.

    Doors are held by dry friction. A press of the button toggles the LED; the bulb burns while the
    switch is up.
    """

    def __init__(self, client: int, folder: Path, layout: layouts.DeskLayout) -> None:
        self.client = client
        self.blocks = {
            name: pybullet.loadURDF(str(folder / f"{name}.urdf"), physicsClientId=client)
            for name in layout.blocks
        }
        self.table = pybullet.loadURDF(
            str(folder / "table.urdf"), useFixedBase=True, physicsClientId=client
        )
        self.links, self._joints = {"base_link": -1}, {}
        for index in range(pybullet.getNumJoints(self.table, physicsClientId=client)):
            info = pybullet.getJointInfo(self.table, index, physicsClientId=client)
            self._joints[info[1].decode()] = index
            self.links[info[12].decode()] = index
        self.wooden = [self.links["slide_link"], self.links["drawer_link"]]
        self.lights: dict[str, bool] = {light: False for light in LIGHTS}
        self._pressed = False
        self._restored: dict[int, tuple[Any, Float[np.ndarray, " 6"]]] = {}
        self._set_motors()

    def _set_motors(self) -> None:
        for name in JOINTS:
            mode = (
                pybullet.POSITION_CONTROL if name == "base__button" else pybullet.VELOCITY_CONTROL
            )
            pybullet.setJointMotorControl2(
                self.table, self._joints[name], mode, force=FRICTION_FORCE,
                physicsClientId=self.client,
            )  # fmt: skip

    def reset(self, scene_obs: Float[np.ndarray, "24"]) -> None:
        """Puts everything where an observation had it, at rest."""
        for name, position in zip(JOINTS, scene_obs[:4], strict=True):
            pybullet.resetJointState(
                self.table, self._joints[name], position, 0, physicsClientId=self.client
            )
        for light, value in zip(LIGHTS, scene_obs[4:6], strict=True):
            self.lights[light] = bool(value > 0.5)
        self._pressed = self._joint("base__button") > layouts.BUTTON_THRESHOLD
        for body, pose in zip(self.blocks.values(), scene_obs[6:].reshape(-1, 6), strict=True):
            quaternion = pybullet.getQuaternionFromEuler(pose[3:])
            pybullet.resetBasePositionAndOrientation(
                body, pose[:3], quaternion, physicsClientId=self.client
            )
            self._restored[body] = self._block_pose(body), pose.copy()

    def update_lights(self) -> None:
        """Lets button and switch act on their lamps; called once a control step."""
        pressed = self._joint("base__button") > layouts.BUTTON_THRESHOLD
        if pressed and not self._pressed:
            self.lights["led"] = not self.lights["led"]
        self._pressed = pressed
        self.lights["lightbulb"] = self._joint("base__switch") > layouts.SWITCH_THRESHOLD

    def light_colors(self) -> list[tuple[int, int, tuple[float, ...]]]:
        """Body, link and present colour (red, green, blue, opacity) of every lamp."""
        return [
            (
                self.table,
                self.links[LIGHT_LINKS[light]],
                (*(layouts.LIGHT_ON[light] if on else layouts.LIGHT_OFF), 1.0),
            )
            for light, on in self.lights.items()
        ]

    def _joint(self, name: str) -> float:
        return pybullet.getJointState(
            self.table, self._joints[name], physicsClientId=self.client
        )[0]  # fmt: skip

    def scene_state(self) -> Float[np.ndarray, "24"]:
        """CALVIN's scene_obs: slide, drawer, button, switch, bulb, LED, then position and Euler
        angles of the red, the blue and the pink block.

        A block that has not moved since it was put somewhere is there to the last bit, which it
        would not be after the way from Euler angles to a quaternion and back.
        """
        values = [self._joint(name) for name in JOINTS]
        values += [float(self.lights[light]) for light in LIGHTS]
        for body in self.blocks.values():
            pose = self._block_pose(body)
            seen, given = self._restored.get(body, (None, None))
            if given is not None and pose == seen:
                values += given.tolist()
            else:
                values += [*pose[0], *pybullet.getEulerFromQuaternion(pose[1])]
        return np.array(values)

    def _block_pose(self, body: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return pybullet.getBasePositionAndOrientation(body, physicsClientId=self.client)

    def info(self) -> dict[str, Any]:
        """CALVIN's scene_info, from which its success conditions are computed."""
        return {
            "fixed_objects": {
                "table": {
                    "uid": self.table,
                    "links": dict(self.links),
                    "contacts": self._contacts(self.table),
                }
            },
            "movable_objects": {name: self._block_info(body) for name, body in self.blocks.items()},
            "doors": {name: {"current_state": self._joint(name)} for name in DOORS},
            "buttons": {
                "base__button": {
                    "joint_state": self._joint("base__button"),
                    "logical_state": int(self.lights["led"]),
                }
            },
            "switches": {
                "base__switch": {
                    "joint_state": self._joint("base__switch"),
                    "logical_state": int(self.lights["lightbulb"]),
                }
            },
            "lights": {name: {"logical_state": int(on)} for name, on in self.lights.items()},
        }

    def _block_info(self, body: int) -> dict[str, Any]:
        position, quaternion = self._block_pose(body)
        linear, angular = pybullet.getBaseVelocity(body, physicsClientId=self.client)
        return {
            "current_pos": np.array(position),
            "current_orn": np.array(quaternion),
            "current_lin_vel": np.array(linear),
            "current_ang_vel": np.array(angular),
            "contacts": self._contacts(body),
            "uid": body,
        }

    def _contacts(self, body: int) -> tuple[Any, ...]:
        return pybullet.getContactPoints(bodyA=body, physicsClientId=self.client)
