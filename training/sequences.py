"""Training samples longer than a policy's window, to learn from every window in them."""

from dataclasses import replace

from firsthand.common.errors import UserError
from firsthand.episodes.episode import WindowSpec


def sequence_spec(spec: WindowSpec, sequence: int | None) -> WindowSpec:
    """The same windows, or sequences of `sequence` frames to cut them from.

    Raises:
        UserError: a sequence is shorter than a window.
    """
    if sequence is None:
        return spec
    if sequence < spec.length:
        raise UserError(f"sequence={sequence} frames are fewer than policy.length={spec.length}")
    return replace(spec, length=sequence)
