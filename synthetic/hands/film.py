"""Draws a play at a desk as the one saw it whose hand did it, and keeps what is true of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8

from firsthand.envs.playtable import desk_geometry, layouts
from firsthand.envs.playtable.kinematics import rotation
from firsthand.envs.tasks.tasks import (
    BULB,
    BUTTON,
    DRAWER,
    LED,
    SLIDE,
    SWITCH,
    block_slice,
)
from firsthand.rendering.camera import Camera
from firsthand.rendering.meshes import Mesh, box, cylinder, merge, sphere
from firsthand.rendering.rasterizer import Instance, Rasteriser
from firsthand.synthetic.hands.grip import grip_parts, grip_poses
from firsthand.synthetic.hands.head import Head
from firsthand.synthetic.hands.look import ClipLook
from firsthand.synthetic.hands.play import DeskPlay
from firsthand.synthetic.parts import Color, dyed, placed, pose
from firsthand.synthetic.parts import rotation as turn_about

ROOM_ID, DESK_ID, HAND_ID, FIRST_ID = 0, 1, 2, 3  # in segmentation; things count from FIRST_ID
TRAVEL = {"slide_link": SLIDE, "drawer_link": DRAWER, "button_link": BUTTON, "switch_link": SWITCH}
# What is used of the desk, its link, and where in the link's frame a hand takes hold of it, metres.
FIXTURES: dict[str, tuple[str, tuple[float, float, float]]] = {
    "slider": ("slide_link", (0.0, -0.03, 0.075)),
    "drawer": ("drawer_link", (0.0, -0.246, 0.359)),
    "switch": ("switch_link", (0.0, 0.0, 0.0)),
    "button": ("button_link", (0.0, 0.0, 0.01)),
    "lightbulb": ("light_link", (0.0, 0.0, 0.0)),
    "led": ("led_link", (0.0, 0.0, 0.006)),
}
WOODEN = ("base_link", "plank_link", "slide_link", "drawer_link")
LAMPS: dict[str, tuple[int, Color]] = {
    "light_link": (BULB, (1.6, 1.5, 0.2)),
    "led_link": (LED, (0.1, 1.7, 0.2)),
}  # which number of scene_obs says that it burns, and its colour then


@dataclass(frozen=True)
class StillBlock:
    """A block that nobody touches: a key of `BLOCK_SIZES`, where it lies and how it is turned."""

    size: str
    x: float
    y: float
    yaw: float


@dataclass(frozen=True)
class FilmedPlay:
    """The pictures of a clip, and what is true in each.

    `things` are the blocks by colour, then `FIXTURES`; `place` is where each is, metres, `pixel`
    where in the picture (0..1 across and down; beyond that it is out of view), `area` how many
    pixels show it. `hand` and `hand_pixel` tell the same of the fingertips.
    """

    rgb: UInt8[np.ndarray, "t h w 3"]
    things: tuple[str, ...]
    place: Float32[np.ndarray, "t n 3"]
    pixel: Float32[np.ndarray, "t n 2"]
    area: Int32[np.ndarray, "t n"]
    hand: Float32[np.ndarray, "t 3"]
    hand_pixel: Float32[np.ndarray, "t 2"]


class Stage:
    """A desk with blocks, the room around it and a hand, drawn at any moment of a play."""

    def __init__(self, play: DeskPlay, still: Sequence[StillBlock], look: ClipLook) -> None:
        self._play, self._still = play, still
        self._joints = {joint.link: joint for joint in desk_geometry.joints(play.layout)}
        self._links = ("base_link", *self._joints)
        self.things = (*look.blocks, *FIXTURES)
        ids = {link: DESK_ID for link in self._links}
        fixtures = range(FIRST_ID + len(look.blocks), FIRST_ID + len(self.things))
        ids |= {link: id for (link, _), id in zip(FIXTURES.values(), fixtures, strict=True)}
        instances, self._owners = [], []
        for link, color, mesh in _desk_meshes(play.layout):
            texture = look.grain if link in WOODEN else None
            instances.append(Instance(mesh, color, texture, ids[link]))
            self._owners.append(self._links.index(link))
        sizes = [play.layout.blocks[name] for name in play.blocks] + [one.size for one in still]
        for i, (size, color) in enumerate(zip(sizes, look.colors, strict=True)):
            instances.append(Instance(box(layouts.BLOCK_SIZES[size]), color, None, FIRST_ID + i))
            self._owners.append(len(self._links) + i)
        hand = grip_parts(look.skin, look.sleeve, look.bare)
        for parts, id in ((look.room, ROOM_ID), (hand, HAND_ID)):
            instances += [Instance(p.mesh, p.color or (1, 1, 1), p.texture, id) for p in parts]
        self._room = np.tile(np.eye(4), (len(look.room), 1, 1))
        self._colors = np.array([one.color for one in instances], np.float64)
        self._lamps = {
            link: np.flatnonzero(np.array(self._owners) == self._links.index(link))
            for link in LAMPS
        }
        self._rasteriser = Rasteriser(instances, look.light)

    def bodies(self, scene_obs: Float[np.ndarray, "24"]) -> Float[np.ndarray, "n 4 4"]:
        """The poses of the desk's base and links, then of the blocks."""
        poses = [np.eye(4)]
        for link, joint in self._joints.items():
            way = np.array(joint.axis or (0, 0, 0)) * scene_obs[TRAVEL.get(link, 0)]
            poses.append(placed(np.array(joint.origin) + way))
        for name in self._play.blocks:
            numbers = scene_obs[block_slice(name)]
            poses.append(placed(numbers[:3], rotation(numbers[3:])))
        for one in self._still:
            poses.append(pose(one.x, one.y, layouts.SPAWN_Z, turn_about(2, one.yaw)))
        return np.stack(poses)

    def places(self, bodies: Float[np.ndarray, "n 4 4"]) -> Float[np.ndarray, "m 3"]:
        """Where the things are, metres."""
        held = [bodies[self._links.index(link)] @ [*at, 1.0] for link, at in FIXTURES.values()]
        return np.concatenate([bodies[len(self._links) :, :3, 3], np.stack(held)[:, :3]])

    def draw(
        self, camera: Camera, bodies: Float[np.ndarray, "n 4 4"],
        hand: Float[np.ndarray, "p 4 4"], scene_obs: Float[np.ndarray, "24"],
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Int32[np.ndarray, "h w"]]:  # fmt: skip
        """The picture, and which id is seen where."""
        colors = self._colors.copy()
        for link, (light, burning) in LAMPS.items():
            if scene_obs[light] > 0.5:
                colors[self._lamps[link]] = burning
        poses = np.concatenate([bodies[self._owners], self._room, hand])
        picture = self._rasteriser.draw(camera, poses, colors)
        return picture.rgb, picture.segmentation


def _desk_meshes(layout: layouts.DeskLayout) -> list[tuple[str, Color, Mesh]]:
    """The desk's primitives, those of one link and colour as one mesh."""
    groups: dict[tuple[str, Color], list[Mesh]] = {}
    for part in desk_geometry.parts(layout):
        if part.shape == "box":
            mesh = box(part.size).tiled(0.4)
        elif part.shape == "cylinder":
            mesh = cylinder(*part.size, segments=16)
        else:
            mesh = sphere(*part.size, segments=14, rings=8)
        at = pose(*part.position, turn_about(0, part.roll))
        groups.setdefault((part.link, dyed(part.color)), []).append(mesh.transformed(at))
    return [(link, color, merge(meshes)) for (link, color), meshes in groups.items()]


def film(
    play: DeskPlay,
    still: Sequence[StillBlock],
    look: ClipLook,
    head: Head,
    size: int,
    every: int = 1,
) -> FilmedPlay:
    """Every so many frames of a play. The look's blocks are those that take part in the play, then
    those that lie still."""
    stage = Stage(play, still, look)
    hands = grip_poses(play.robot, head.shoulder(look.side), look.side)
    frames, things = range(0, len(play.robot), every), len(stage.things)
    rgb = np.empty((len(frames), size, size, 3), np.uint8)
    area = np.empty((len(frames), things), np.int32)
    place = np.empty((len(frames), things + 1, 3), np.float32)
    pixel = np.empty((len(frames), things + 1, 2), np.float32)
    for i, frame in enumerate(frames):
        camera, scene = head.camera(frame, size), play.scene[frame]
        bodies = stage.bodies(scene)
        shown, segmentation = stage.draw(camera, bodies, hands[frame], scene)
        rgb[i] = (shown * look.gain).clip(0, 255)
        counts = np.bincount(segmentation.reshape(-1) + 1, minlength=FIRST_ID + things + 1)
        area[i] = counts[FIRST_ID + 1 :]
        place[i] = np.vstack([stage.places(bodies), play.robot[frame, :3]])
        across, down, depth = camera.to_pixels @ np.vstack([place[i].T, np.ones(things + 1)])
        pixel[i] = (np.stack([across, down], axis=1) / depth[:, None] + 0.5) / size
    return FilmedPlay(
        rgb, stage.things, place[:, :-1], pixel[:, :-1], area, place[:, -1], pixel[:, -1]
    )
