"""Things of the home are whole, of real size, and no two alike."""

import numpy as np
import pytest

from firsthand.rendering.camera import Camera
from firsthand.rendering.rasterizer import Instance, Rasteriser
from firsthand.synthetic.home.world.nouns import NOUNS, make_thing
from firsthand.synthetic.home.world.shapes import ellipse, plate, size_of, tube
from firsthand.synthetic.parts import COLORS, lathe


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Signed: positive when the faces look outwards."""
    a, b, c = vertices[faces].astype(np.float64).swapaxes(0, 1)
    return float((a * np.cross(b, c)).sum() / 6)


def test_swept_turned_and_cut_shapes_look_outwards() -> None:
    rod = tube([(0, 0, 0), (0, 0, 0.5), (0, 0, 1)], [0.1, 0.1, 0.1], 40)
    assert volume(rod.vertices, rod.faces) == pytest.approx(np.pi * 0.01, rel=0.02)
    bent = tube([(0, 0, 0), (0.3, 0, 1), (1, 0.2, 1)], [0.1, 0.2, 0.1])
    assert volume(bent.vertices, bent.faces) > 0
    disc = plate(ellipse(1.0, 0.5, 60), 0.2)
    assert volume(disc.vertices, disc.faces) == pytest.approx(np.pi * 0.1, rel=0.01)
    cone = lathe([(0, 0), (1, 0), (0, 1)], 60)
    assert volume(cone.vertices, cone.faces) == pytest.approx(np.pi / 3, rel=0.01)


def test_there_are_enough_nouns() -> None:
    assert len(NOUNS) >= 30


@pytest.mark.parametrize("noun", NOUNS)
def test_things_stand_on_the_floor_and_have_a_real_size(noun: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(4):
        thing = make_thing(noun, rng)
        low, high = size_of(thing.parts)
        assert abs(low[2]) < 1e-6
        assert thing.height == pytest.approx(high[2])
        largest = float((high - low).max())
        assert (0.04 if thing.carried else 0.2) < largest < (0.9 if thing.carried else 1.2), largest
        np.testing.assert_allclose((low + high)[:2], 0, atol=1e-6)
        assert thing.color in (*COLORS, "")
        assert bool(thing.color) == NOUNS[noun].painted
        assert sum(len(part.mesh.faces) for part in thing.parts) < 4000


@pytest.mark.parametrize("noun", NOUNS)
def test_things_of_a_noun_differ_and_come_again_from_their_seed(noun: str) -> None:
    def seen(seed: int) -> np.ndarray:
        thing = make_thing(noun, np.random.default_rng(seed))
        middle = np.array([0.0, 0.0, thing.height / 2])
        eye = middle + np.array([0.8, -2.4, 1.2]) * thing.reach
        camera = Camera.look_at(
            eye, middle, (0, 0, 1), fov=50, near=0.01, far=10, width=48, height=48
        )
        instances = [Instance(p.mesh, p.color or (1, 1, 1), p.texture, 1) for p in thing.parts]
        picture = Rasteriser(instances).draw(camera, np.tile(np.eye(4), (len(instances), 1, 1)))
        assert 0.015 < (picture.segmentation == 1).mean() < 0.8
        return picture.rgb.astype(float)

    pictures = [seen(seed) for seed in range(4)]
    np.testing.assert_array_equal(pictures[0], seen(0))
    for i, one in enumerate(pictures):
        for other in pictures[:i]:
            assert np.abs(one - other).mean() > 0.1


def test_words_of_size_are_true_of_their_noun() -> None:
    heights: dict[str, list[float]] = {"little": [], "": [], "big": []}
    for seed in range(60):
        thing = make_thing("ball", np.random.default_rng(seed))
        heights[thing.size].append(thing.height)
    assert max(heights["little"]) < min(heights["big"])
    assert all(len(found) > 5 for found in heights.values())
