"""Draws clips of the nursery: every frame seen by a camera that sits in the viewer's head."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, UInt8

from firsthand.episodes.episode import Episode
from firsthand.rendering.rasterizer import Camera, Instance, Picture, Rasteriser
from firsthand.synthetic.hand import hand_poses
from firsthand.synthetic.nursery.room import LAMP_OFF, LAMP_ON
from firsthand.synthetic.nursery.scene import NurseryClip, sample_scene
from firsthand.synthetic.parts import placed

ROOM_ID, TOY_ID, SLIDER_ID, HAND_ID = 0, 1, 50, 100  # what segmentation shows


class ClipRenderer:
    """Draws the frames of a clip at any size."""

    def __init__(self, clip: NurseryClip, size: int) -> None:
        self.clip, self.size = clip, size
        scene = clip.scene
        pieces = [scene.room + scene.furniture.fixed, *(toy.parts for toy in scene.toys)]
        ids = [ROOM_ID, *range(TOY_ID, TOY_ID + len(scene.toys))]
        pieces += [parts for _, parts in scene.furniture.sliders]
        ids += range(SLIDER_ID, SLIDER_ID + len(scene.furniture.sliders))
        self._counts = [len(piece) for piece in pieces]
        instances = [
            Instance(part.mesh, part.color or (1.0, 1.0, 1.0), part.texture, id)
            for piece, id in zip(pieces, ids, strict=True)
            for part in piece
        ]
        instances += [
            Instance(p.mesh, p.color or (1.0, 1.0, 1.0), None, HAND_ID) for p in scene.hand
        ]
        self._rasteriser = Rasteriser(instances, scene.light)
        self._colors = np.array([instance.color for instance in instances], np.float64)
        self._lamp = np.array([instance.color == LAMP_OFF for instance in instances])
        self._shoulder = scene.eye + [0.34 * scene.side, 0.0, -0.34]

    def camera(self, frame: int) -> Camera:
        clip = self.clip
        up = np.array([np.sin(clip.tilt[frame]), 0.0, np.cos(clip.tilt[frame])])
        return Camera.look_at(
            clip.eye[frame],
            clip.target[frame],
            up,
            fov=clip.scene.fov,
            near=0.04,
            far=8.0,
            width=self.size,
            height=self.size,
        )

    def poses(self, frame: int) -> Float[np.ndarray, "n 4 4"]:
        """Mesh to world of every instance: the room's, the toys', the furniture's, the hand's."""
        clip, furniture = self.clip, self.clip.scene.furniture
        bodies = [np.eye(4)]
        bodies += [
            placed(position, turn)
            for position, turn in zip(clip.positions[frame], clip.turns[frame], strict=True)
        ]
        bodies += [
            placed(slider.home + slider.axis * value)
            for (slider, _), value in zip(furniture.sliders, clip.sliders[frame], strict=True)
        ]
        hand = hand_poses(clip.hands[frame], self._shoulder, clip.scene.side)
        return np.concatenate([np.repeat(np.stack(bodies), self._counts, axis=0), hand])

    def draw(self, frame: int) -> Picture:
        """The picture, its depth, and which thing is seen where (`TOY_ID` + number of the toy)."""
        lit = bool(self.clip.lit[frame])
        colors = self._colors
        if lit:
            colors = np.where(self._lamp[:, None], LAMP_ON, 1.06 * colors)
        picture = self._rasteriser.draw(self.camera(frame), self.poses(frame), colors)
        exposed = picture.rgb * self.clip.scene.gain
        return replace(picture, rgb=exposed.clip(0, 255).astype(np.uint8))


def film(clip: NurseryClip, size: int) -> UInt8[np.ndarray, "t h w 3"]:
    """All frames of a clip."""
    camera = ClipRenderer(clip, size)
    return np.stack([camera.draw(frame).rgb for frame in range(len(clip))])


def make_episode(seed: int, index: int, seconds: float, fps: int, size: int) -> Episode:
    """A clip as a recording: pictures under `rgb_static`, as for every egocentric video."""
    clip = sample_scene(seed, index, seconds, fps)
    source = {"source": "nursery", "seed": seed, "index": index}
    return Episode(
        {"rgb_static": film(clip, size)}, float(fps), narrations=clip.narrations, source=source
    )
