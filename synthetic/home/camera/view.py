"""What the camera on a child's head sees: motion blur, exposure, and which thing fills how much."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8

from firsthand.rendering.camera import Camera
from firsthand.rendering.rasterizer import Instance, Rasteriser
from firsthand.synthetic.home.behaviour.activities import FPS, Activity, held_poses
from firsthand.synthetic.home.camera.head import head_path
from firsthand.synthetic.home.world.furnishings import Rng
from firsthand.synthetic.home.world.scene import HomeScene, resting
from firsthand.synthetic.parts import MeshPart, placed, pose, rotation

SHUTTER = 0.04  # seconds that the shutter is open
FINE = 2  # pixels a side that a pixel is averaged from
EXPOSURES = 4  # pictures that one frame is blended from, at most
ROOM_ID, THING_ID, BOARD_ID, HAND_ID = 0, 1, 100, 200  # in the segmentation


@dataclass(frozen=True)
class HomeFrame:
    """A frame: the picture, and for each thing of the scene the share of it that it fills and how
    far its middle is from the eye, metres."""

    rgb: UInt8[np.ndarray, "h w 3"]
    shares: Float[np.ndarray, "n"]
    distances: Float[np.ndarray, "n"]


class HeadCamera:
    """Draws the frames of a recording at `size` x `size` pixels."""

    def __init__(
        self, scene: HomeScene, activities: Sequence[Activity], size: int, rng: Rng
    ) -> None:
        self.scene, self.activities, self.size = scene, tuple(activities), size
        groups: list[tuple[Sequence[MeshPart], int]] = [(scene.house.parts, ROOM_ID)]
        groups += [(thing.parts, THING_ID + i) for i, thing in enumerate(scene.things)]
        groups += [((part,), BOARD_ID) for part in (*scene.boards, *scene.trays)]
        groups += [(scene.own_hand, HAND_ID), (scene.other_hand, HAND_ID)]
        instances = [
            Instance(part.mesh, part.color or (1.0, 1.0, 1.0), part.texture, number)
            for parts, number in groups
            for part in parts
        ]
        self._group = np.repeat(np.arange(len(groups)), [len(parts) for parts, _ in groups])
        light = replace(scene.house.light, resolution=160 if size < 160 else 320)
        self._rasteriser = Rasteriser(instances, light, scene.house.sky)
        self._activity_of = np.repeat(
            np.arange(len(activities)), [b.end - b.begin for b in activities]
        )
        self.fov = float(rng.uniform(58, 68))
        frames = np.arange(len(self._activity_of))
        moments = np.stack([frames, frames + SHUTTER * FPS], 1)
        eye, target, tilt = head_path(activities, moments.reshape(-1), rng)
        self._eye, self._target = eye.reshape(-1, 2, 3), target.reshape(-1, 2, 3)
        self._tilt = tilt.reshape(-1, 2)[:, 0]
        self._middles = np.array([[0, 0, thing.height / 2, 1] for thing in scene.things])
        rest = resting(scene)
        self._rest = np.concatenate(
            [np.eye(4)[None], rest, np.tile(np.eye(4), (2 * len(rest) + 2, 1, 1))]
        )

    def __len__(self) -> int:
        return len(self._activity_of)

    def draw(self, frame: int) -> HomeFrame:
        """Raises IndexError: there is no such frame."""
        from firsthand.synthetic.home.camera.exposure import develop, expose

        eye, target = self._eye[frame], self._target[frame]
        count = self._exposures(eye, target)
        fine = FINE if count == 1 else 1  # what is smeared needs no finer pixels
        rgb = np.empty((self.size, self.size, 3), np.uint8)
        total = np.zeros(rgb.shape, np.float32)
        filled = np.zeros(len(self.scene.things))
        for share in (np.arange(count) + 0.5) / count if count > 1 else (0.0,):
            camera = self._camera(
                eye[0] + share * (eye[1] - eye[0]),
                target[0] + share * (target[1] - target[0]),
                self._tilt[frame],
                self.size * fine,
            )
            poses, visible = self._poses(frame + share * SHUTTER * FPS)
            picture = self._rasteriser.draw(
                camera, poses[self._group], visible=visible[self._group]
            )
            expose(picture.rgb, picture.segmentation, THING_ID, total, filled)
        develop(total, self.scene.house.gain / (count * fine**2), rgb)
        middles = (poses[1 : 1 + len(filled)] @ self._middles[..., None])[:, :3, 0]
        distances = np.linalg.norm(middles - eye[0], axis=1)
        return HomeFrame(rgb, filled / (count * (fine * self.size) ** 2), distances)

    def _camera(
        self, eye: Float[np.ndarray, "3"], target: Float[np.ndarray, "3"], tilt: float, size: int
    ) -> Camera:
        up = (np.sin(tilt), 0.0, np.cos(tilt))
        return Camera.look_at(
            eye, target, up, fov=self.fov, near=0.05, far=12.0, width=size, height=size
        )

    def _exposures(self, eye: Float[np.ndarray, "2 3"], target: Float[np.ndarray, "2 3"]) -> int:
        """As many as it takes to smear what moves by several pixels while the shutter is open."""
        ahead = target - eye
        ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
        moved = np.linalg.norm(ahead[1] - ahead[0]) * self.size / np.radians(self.fov)
        return int(np.clip(np.ceil(moved / 1.5), 1, EXPOSURES))

    def _poses(self, moment: float) -> tuple[np.ndarray, np.ndarray]:
        """The pose of every group of instances, and whether it is there at all."""
        activity = self.activities[self._activity_of[int(moment)]]
        count, focus = len(self.scene.things), activity.focus
        poses, visible = self._rest, np.ones(len(self._rest), bool)
        visible[1 + count :] = False
        begun = moment >= activity.start
        if not activity.held:
            if activity.hands and begun:
                poses = poses.copy()
                poses[-2] = activity.frame
                visible[-2] = True
            return poses, visible
        poses = poses.copy()
        thing, board = held_poses(self.scene, activity, moment)
        reach = self.scene.things[focus].reach
        poses[1 + focus] = thing
        if activity.kind == "verb" and begun:
            tray = activity.frame @ placed(np.array([0, 0.3, -1.75]) * reach - [0, 0, 0.01])
            poses[1 + count + focus], poses[1 + 2 * count + focus] = board, tray
            visible[[1 + count + focus, 1 + 2 * count + focus]] = True
        if activity.hands and begun:
            middle = activity.frame.copy()
            middle[:3, 3] = (thing @ [0, 0, self.scene.things[focus].height / 2, 1])[:3]
            grip = pose(0, 0.1 * reach, -0.8 * reach)
            if activity.hands == 2:
                grip = pose(0.7 * reach, 0.3 * reach, 0) @ pose(turn=rotation(2, 2.0))
            poses[-3 + activity.hands] = middle @ grip
            visible[-3 + activity.hands] = True
        return poses, visible
