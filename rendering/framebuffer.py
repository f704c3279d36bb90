"""What a rasteriser remembers of a camera's last picture, so that it need not draw all of it again.

Most of what a camera that stands still sees has not changed since its last picture: neither the
nearest face in a pixel, nor where that is, nor the shadow on it. Such pixels are kept, to the bit.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, UInt8

UNKNOWN = -2  # no face and not the background: nothing is known of the pixel


@dataclass
class FrameState:
    """Where things were and how they looked at some moment. At first they were nowhere."""

    count: int
    poses: Float[np.ndarray, "n 4 4"] = field(init=False)
    visible: Bool[np.ndarray, "n"] = field(init=False)
    colors: Float[np.ndarray, "n 3"] = field(init=False)
    moved: Bool[np.ndarray, "n"] = field(init=False)  # by the last update
    changed: Bool[np.ndarray, "n"] = field(init=False)  # moved or recoloured by the last update

    def __post_init__(self) -> None:
        self.poses = np.full((self.count, 4, 4), np.nan)
        self.visible = np.zeros(self.count, np.bool_)
        self.colors = np.full((self.count, 3), np.nan)
        self.moved, self.changed = np.ones((2, self.count), np.bool_)

    def update(
        self,
        poses: Float[np.ndarray, "n 4 4"],
        visible: Bool[np.ndarray, "n"],
        colors: Float[np.ndarray, "n 3"],
    ) -> bool:
        """Becomes a snapshot of now; returns whether anything has moved, come or gone."""
        from firsthand.rendering.frame_changes import compare

        return compare(
            poses, visible, colors, self.poses, self.visible, self.colors, self.moved, self.changed
        )


class Framebuffer:
    """The picture of one camera in the making.

    `known` and `spots` say for every pixel of `rgb`, `depth` and `segmentation` which face it shows
    and which texel of the shadow map it was lit by. `still` are the instances that
    `still_depth` and `still_owner`, a z-buffer of their own, show.
    """

    def __init__(self, height: int, width: int, faces: int, count: int, texels: int) -> None:
        size = (height, width)
        self.inverse_depth: Float32[np.ndarray, "h w"] = np.zeros(size, np.float32)
        self.owner: Int32[np.ndarray, "h w"] = np.full(size, -1, np.int32)
        self.edges: Float[np.ndarray, "f 9"] = np.empty((faces, 9))
        self.still_depth, self.still_owner = self.inverse_depth.copy(), self.owner.copy()
        self.still = np.zeros(count, np.bool_)
        self.known: Int32[np.ndarray, "h w"] = np.full(size, UNKNOWN, np.int32)
        self.spots: Int32[np.ndarray, "h w"] = np.empty(size, np.int32)
        self.rgb: UInt8[np.ndarray, "h w 3"] = np.empty((*size, 3), np.uint8)
        self.depth: Float32[np.ndarray, "h w"] = np.empty(size, np.float32)
        self.segmentation: Int32[np.ndarray, "h w"] = np.empty(size, np.int32)
        self.snapshot = FrameState(count)
        self.shadow: Float32[np.ndarray, "s s"] = np.full((texels, texels), np.nan, np.float32)
        self.shadow_changed = np.zeros(max(1, texels * texels), np.bool_)

    def forget(self) -> None:
        """Forgets the last picture: the camera has moved."""
        self.known.fill(UNKNOWN)

    def compare_shadow(self, shadow: Float32[np.ndarray, "s s"]) -> None:
        """Notes which of the shadow map's texels have changed since the last picture."""
        from firsthand.rendering.frame_changes import compare_texels

        compare_texels(shadow, self.shadow, self.shadow_changed)
