"""The compiled loops that make a frame of several fine pictures, and count what is in them."""

from typing import no_type_check

import numpy as np

from firsthand.common.njit import njit


@njit("void(u1[:,:,::1], i4[:,::1], i8, f4[:,:,::1], f8[::1])", error_model="numpy")
@no_type_check
def expose(
    rgb,  # (k h, k w, 3) a fine picture
    segmentation,  # (k h, k w)
    first,  # the id that is counted first
    total,  # (h, w, 3) in and out: sums of the fine pixels under each pixel
    counts,  # (n,) in and out: fine pixels that show the ids from `first` on
):
    height, width = total.shape[:2]
    fine = rgb.shape[0] // height
    for y in range(height):
        for x in range(width):
            red, green, blue = 0, 0, 0
            for j in range(fine * y, fine * (y + 1)):
                for i in range(fine * x, fine * (x + 1)):
                    red += rgb[j, i, 0]
                    green += rgb[j, i, 1]
                    blue += rgb[j, i, 2]
                    filled = segmentation[j, i] - first
                    if 0 <= filled < len(counts):
                        counts[filled] += 1.0
            total[y, x, 0] += red
            total[y, x, 1] += green
            total[y, x, 2] += blue


@njit("void(f4[:,:,::1], f8[::1], u1[:,:,::1])", error_model="numpy")
@no_type_check
def develop(
    total,  # (h, w, 3)
    gain,  # (3,) of the camera, over how many fine pixels were summed
    rgb,  # (h, w, 3) out
):
    for y in range(total.shape[0]):
        for x in range(total.shape[1]):
            for k in range(3):
                rgb[y, x, k] = np.uint8(min(total[y, x, k] * gain[k] + 0.5, 255.0))
