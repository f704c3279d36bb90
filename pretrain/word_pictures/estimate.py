"""A figure and how well it is known."""

from typing import NamedTuple


class Estimate(NamedTuple):
    """A share and the ends of its interval; all three are the same if nothing is known of it."""

    mean: float
    low: float
    high: float

    @classmethod
    def around(cls, mean: float, error: float | None) -> "Estimate":
        """One standard error to either side, as in CVCL's figures; None if there is none."""
        error = error or 0.0
        return cls(mean, mean - error, mean + error)
