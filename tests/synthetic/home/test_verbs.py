"""Only the order of pictures may tell verbs apart."""

import numpy as np
import pytest

from firsthand.synthetic.home.behaviour.verbs import REVERSED, VERBS, VerbMotion, move

COUNT = 10


def states(motion: VerbMotion) -> np.ndarray:
    """(t, 7): angles as points on a circle, so that equal poses are equal numbers."""
    yaw, tilt = motion.yaw, motion.tilt
    turned = np.stack([np.cos(yaw), np.sin(yaw), np.cos(tilt), np.sin(tilt)])
    return np.concatenate([np.stack([motion.x, motion.z, motion.cover]), turned]).T


@pytest.mark.parametrize("verb", REVERSED)
def test_opposites_are_each_other_backwards(verb: str) -> None:
    for seed in range(20):
        forth = states(move(verb, COUNT, np.random.default_rng(seed)))
        back = states(move(REVERSED[verb], COUNT, np.random.default_rng(seed)))
        np.testing.assert_array_equal(forth, back[::-1])
        assert not np.array_equal(forth, back)


def test_a_single_moment_is_distributed_alike_for_every_verb() -> None:
    """Means, second moments and products of the pose at a random frame, against all verbs'."""
    rng = np.random.default_rng(1)

    def moments(verb: str) -> np.ndarray:
        moved = (states(move(verb, COUNT, rng)) for _ in range(1500))
        points = np.stack([poses[rng.integers(COUNT)] for poses in moved])
        products = points[:, :, None] * points[:, None]
        return np.concatenate([points, products.reshape(len(points), -1)], axis=1)

    found = {verb: moments(verb) for verb in VERBS}
    every = np.concatenate(list(found.values()))
    for verb, mine in found.items():
        error = np.sqrt(mine.var(0) / len(mine) + every.var(0) / len(every))
        away = np.abs(mine.mean(0) - every.mean(0)) / np.maximum(error, 1e-9)
        assert away.max() < 4.5, (verb, away.max())


def test_every_verb_moves_in_its_own_way() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        lift, drop = move("lift", COUNT, rng), move("drop", COUNT, rng)
        assert lift.z[-1] - lift.z[0] == 1 == drop.z[0] - drop.z[-1]
        assert move("hide", COUNT, rng).cover[-1] > 0.8 > move("show", COUNT, rng).cover[-1]
        push, roll, shake = (move(verb, COUNT, rng) for verb in ("push", "roll", "shake"))
        assert abs(np.sign(np.diff(push.x)).sum()) == COUNT - 1
        assert np.ptp(push.tilt) == 0 < np.ptp(roll.tilt)
        # What rolls to the right turns clockwise, and the other way.
        assert (np.sign(np.diff(roll.tilt)) == np.sign(np.diff(roll.x))).all()
        assert (np.diff(np.sign(np.diff(shake.x))) != 0).all()
        assert sorted(np.round(shake.x, 9)) == sorted(np.round(push.x, 9))
        assert np.ptp(move("spin", COUNT, rng).yaw) > 5
