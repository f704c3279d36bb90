"""The four scenes have the numbers of CALVIN's, read back from PyBullet and not from our tables."""

from dataclasses import replace

import numpy as np
import pytest

from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.playtable.layouts import (
    BLOCK_SIZES,
    LAYOUTS,
    SPAWN_SHELF_Y,
    SPAWN_TABLE_Y,
    SPAWN_Z,
)
from firsthand.envs.tasks.initial_states import HOME

MARGIN = 0.0015  # metres: PyBullet's bounding boxes are a millimetre larger than what they bound
BASE = ((-0.441, 0.441), (-0.181, 0.181), (0.0, 0.649))
# What was measured in CALVIN's own desks, scaled as they are there.
DOOR = {"A": (-0.105, 0.185), "B": (0.083, 0.373), "C": (0.055, 0.345), "D": (-0.105, 0.185)}
RANGE = {"A": 0.28, "B": 0.304, "C": 0.24, "D": 0.28}
PLANK = {"A": (-0.364, 0.164), "B": (-0.184, 0.344), "C": (-0.184, 0.344), "D": (-0.364, 0.164)}
DRAWER = {"A": (-0.125, 0.325), "B": (-0.045, 0.405), "C": (-0.125, 0.325), "D": (-0.045, 0.405)}
BUTTON = {"A": -0.28, "B": 0.28, "C": -0.12, "D": -0.12}
SWITCH = {"A": 0.30, "B": -0.32, "C": -0.32, "D": 0.30}
SIZES = {  # of the red, the blue and the pink block
    "A": ("middle", "big", "small"),
    "B": ("small", "big", "middle"),
    "C": ("big", "small", "middle"),
    "D": ("middle", "small", "big"),
}
SPAWN = {  # x on the table, left and right in the cabinet
    "A": ((-0.20, 0.35), (-0.32, -0.16), (-0.05, 0.13)),
    "B": ((-0.35, 0.15), (-0.12, 0.06), (0.15, 0.33)),
    "C": ((0.0, 0.35), (-0.12, 0.06), (0.15, 0.30)),
    "D": ((0.0, 0.35), (-0.32, -0.16), (-0.05, 0.13)),
}
EDGE = {"small": 0.04, "middle": 0.056, "big": 0.08}
SCENES = tuple(DOOR)


def at_rest(layout):
    """A state with the red block on the table and the others in the cabinet, doors shut."""
    scene_obs = np.zeros(24)
    places = zip((layout.spawn_table, layout.spawn_left, layout.spawn_right), range(3), strict=True)
    for region, block in places:
        y = SPAWN_SHELF_Y if block else SPAWN_TABLE_Y
        start = 6 + 6 * block
        scene_obs[start : start + 3] = sum(region) / 2, sum(y) / 2, SPAWN_Z
        scene_obs[start + 5] = np.pi / 2
    return scene_obs


@pytest.fixture(params=SCENES)
def world(request):
    env = PlayTable(request.param, cameras={})
    env.reset(options={"robot_obs": HOME, "scene_obs": at_rest(env.layout)})
    yield env
    env.close()


def bounds(world, body, link=-1):
    """(low, high) of x, y and z."""
    from firsthand.rendering.bullet import pybullet

    box = pybullet.getAABB(body, link, physicsClientId=world._client)
    return np.array(box).T


def link(world, name):
    return bounds(world, world.scene.table, world.scene.links[name])


def seen_at(world, name):
    """Where the visual shape of a link that cannot be touched is centred."""
    from firsthand.rendering.bullet import pybullet

    index = world.scene.links[name]
    state = pybullet.getLinkState(world.scene.table, index, physicsClientId=world._client)
    return np.array(state[4])


def test_there_are_four_scenes():
    assert tuple(LAYOUTS) == SCENES
    assert [layout.name for layout in LAYOUTS.values()] == list(SCENES)


def test_fixtures_are_where_calvins_are(world):
    name = world.layout.name
    np.testing.assert_allclose(bounds(world, world.scene.table), BASE, atol=MARGIN)
    np.testing.assert_allclose(link(world, "slide_link")[0], DOOR[name], atol=MARGIN)
    np.testing.assert_allclose(link(world, "plank_link")[0], PLANK[name], atol=MARGIN)
    np.testing.assert_allclose(link(world, "plank_link")[2][1], 0.44, atol=MARGIN)
    np.testing.assert_allclose(link(world, "drawer_link")[0], DRAWER[name], atol=MARGIN)
    button = link(world, "button_link").mean(axis=1)
    np.testing.assert_allclose(button[:2], (BUTTON[name], -0.12), atol=MARGIN)
    assert link(world, "switch_link")[0].mean() == pytest.approx(SWITCH[name], abs=MARGIN)
    assert seen_at(world, "led_link")[0] == pytest.approx(BUTTON[name])
    assert seen_at(world, "light_link")[0] == pytest.approx(SWITCH[name])


def test_handles_reach_where_calvins_do(world):
    door, drawer = sum(DOOR[world.layout.name]) / 2, sum(DRAWER[world.layout.name]) / 2
    assert link(world, "slide_link")[1][0] == pytest.approx(-0.031, abs=MARGIN)
    assert link(world, "drawer_link")[1][0] == pytest.approx(-0.26, abs=MARGIN)
    switch = link(world, "switch_link")
    center = SWITCH[world.layout.name]
    expected = ((center - 0.06, center + 0.06), (0.004, 0.073), (0.488, 0.545))
    np.testing.assert_allclose(switch, expected, atol=MARGIN)
    np.testing.assert_allclose(world.layout.drawer_bar, (drawer - 0.12, drawer + 0.12))
    if world.layout.name == "D":
        np.testing.assert_allclose(world.layout.drawer_bar, (0.06, 0.30))
        assert door == pytest.approx(0.04)


def test_doors_move_as_far_and_the_same_way(world):
    from firsthand.rendering.bullet import pybullet

    ranges = {}
    for joint in range(4):
        info = pybullet.getJointInfo(world.scene.table, joint, physicsClientId=world._client)
        ranges[info[1].decode()] = info[8:10]
    assert ranges == {
        "base__button": (0, 0.02), "base__switch": (0, 0.088),
        "base__slide": (0, RANGE[world.layout.name]), "base__drawer": (0, 0.22),
    }  # fmt: skip
    moved = {"button": (0, 0, -0.02), "switch": (0, 0.044, 0.076), "drawer": (0, -0.22, 0)}
    moved["slide"] = (-RANGE[world.layout.name], 0, 0)
    for part, by in moved.items():
        before = link(world, f"{part}_link")
        joint = world.scene.links[f"{part}_link"]
        upper = ranges[f"base__{part}"][1]
        pybullet.resetJointState(world.scene.table, joint, upper, physicsClientId=world._client)
        after = link(world, f"{part}_link")
        np.testing.assert_allclose(after - before, np.transpose([by, by]), atol=5e-4)


def test_blocks_have_their_scenes_sizes_and_a_kilogram(world):
    from firsthand.rendering.bullet import pybullet

    for (name, body), size in zip(
        world.scene.blocks.items(), SIZES[world.layout.name], strict=True
    ):
        assert world.layout.blocks[name] == size
        edges = np.diff(bounds(world, body))[:, 0]
        np.testing.assert_allclose(sorted(edges), (0.04, 0.04, EDGE[size]), atol=MARGIN)
        assert pybullet.getDynamicsInfo(body, -1, physicsClientId=world._client)[0] == 1.0
    assert {size: edges[0] for size, edges in BLOCK_SIZES.items()} == EDGE


def test_blocks_and_lamps_have_calvins_colours(world):
    from firsthand.rendering.bullet import pybullet

    def color(body, index=-1):
        shapes = pybullet.getVisualShapeData(body, physicsClientId=world._client)
        return next(shape[7][:3] for shape in shapes if shape[1] == index)

    blocks = {name: color(body) for name, body in world.scene.blocks.items()}
    assert blocks == {"block_red": (1, 0, 0), "block_blue": (0, 0, 1), "block_pink": (1, 0, 1)}
    assert color(world.scene.table, world.scene.links["led_link"]) == (1, 1, 1)
    world.scene.lights.update(lightbulb=True, led=True)
    lit = {link: color for _, link, color in world.scene.light_colors()}
    assert lit[world.scene.links["light_link"]] == (1, 1, 0, 1)
    assert lit[world.scene.links["led_link"]] == (0, 1, 0, 1)


def test_links_are_numbered_as_calvins(world):
    assert world.scene.links == {
        "base_link": -1, "button_link": 0, "switch_link": 1, "slide_link": 2, "drawer_link": 3,
        "led_link": 4, "light_link": 5, "plank_link": 6,
    }  # fmt: skip


def test_blocks_begin_where_calvins_do(world):
    layout = world.layout
    assert (layout.spawn_table, layout.spawn_left, layout.spawn_right) == SPAWN[layout.name]
    assert (SPAWN_TABLE_Y, SPAWN_SHELF_Y, SPAWN_Z) == ((-0.15, -0.03), (0.05, 0.12), 0.46)


def test_blocks_rest_where_they_are_put(world):
    before = world.scene.scene_state()
    for _ in range(60):
        observation, *_ = world.step(np.array([0, 0, 0, 0, 0, 0, 1.0]))
    np.testing.assert_allclose(observation["scene_obs"], before, atol=2e-3)


def test_surfaces_and_motors_are_as_slippery_and_strong(world):
    from firsthand.rendering.bullet import pybullet

    def friction(body, index=-1):
        return pybullet.getDynamicsInfo(body, index, physicsClientId=world._client)[1]

    assert {friction(body) for body in world.scene.blocks.values()} == {0.7}
    assert {friction(world.scene.table, index) for index in range(-1, 4)} == {0.5}
    assert friction(world._floor) == 1.0
    assert {friction(world.robot.body, finger) for finger in world.robot.fingers} == {1.0}
    parameters = pybullet.getPhysicsEngineParameters(physicsClientId=world._client)
    assert parameters["fixedTimeStep"] == 1 / 240
    assert parameters["numSolverIterations"] == 50
    assert parameters["gravityAccelerationZ"] == -9.8


def test_scenes_look_different():
    pictures = {}
    for name in SCENES:
        env = PlayTable(name, cameras={"rgb_static": 64})
        options = {"robot_obs": HOME, "scene_obs": at_rest(env.layout)}
        observation, _ = env.reset(options=options)
        pictures[name] = observation["rgb_obs"]["rgb_static"].astype(float)
        env.close()
    means = {name: picture.mean(axis=(0, 1)) for name, picture in pictures.items()}
    for first in SCENES:
        for second in SCENES:
            if first < second:
                assert np.abs(pictures[first] - pictures[second]).mean() > 8
                assert np.abs(means[first] - means[second]).max() > 3
    assert means["A"].mean() < means["C"].mean() < means["B"].mean()


def test_a_layout_of_ones_own_is_a_world():
    from firsthand.rendering.bullet import pybullet

    env = PlayTable(replace(LAYOUTS["D"], name="own", button=-0.2), cameras={})
    env.reset(seed=0)
    button = pybullet.getAABB(env.scene.table, env.scene.links["button_link"], env._client)
    assert np.mean(button, axis=0)[0] == pytest.approx(-0.2, abs=MARGIN)
    env.close()
