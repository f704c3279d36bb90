"""Compiled loops that compare a moment with the one before: what has moved, what shadows have."""

from typing import no_type_check

from firsthand.common.njit import njit


@njit(
    "b1(f8[:,:,::1], b1[::1], f8[:,::1], f8[:,:,::1], b1[::1], f8[:,::1], b1[::1], b1[::1])",
    error_model="numpy",
)
@no_type_check
def compare(
    poses,  # (n, 4, 4) now
    visible,  # (n,) now
    colors,  # (n, 3) now
    old_poses,  # (n, 4, 4) in: last time; out: now
    old_visible,  # (n,) the same
    old_colors,  # (n, 3) the same
    moved,  # (n,) out: moved, come or gone
    changed,  # (n,) out: moved or of another colour
):
    anything = False
    for n in range(len(visible)):
        same = visible[n] == old_visible[n]
        for i in range(4):
            for k in range(4):
                same = same and poses[n, i, k] == old_poses[n, i, k]
                old_poses[n, i, k] = poses[n, i, k]
        old_visible[n] = visible[n]
        moved[n] = not same
        anything = anything or not same
        for k in range(3):
            same = same and colors[n, k] == old_colors[n, k]
            old_colors[n, k] = colors[n, k]
        changed[n] = not same
    return anything


@njit("void(f4[:,::1], f4[:,::1], b1[::1])", error_model="numpy")
@no_type_check
def compare_texels(
    shadow,  # (s, s) now
    old,  # (s, s) in: last time; out: now
    changed,  # (s * s,) out: whether the texel, or one that is blended with it, is another
):
    size = len(shadow)
    for j in range(size):
        for i in range(size):
            changed[j * size + i] = shadow[j, i] != old[j, i]
            old[j, i] = shadow[j, i]
    for j in range(size - 1):
        for i in range(size - 1):
            spot = j * size + i
            changed[spot] |= changed[spot + 1] | changed[spot + size] | changed[spot + size + 1]
