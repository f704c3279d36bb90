"""The PlayTable world: what it shows, how it restores and repeats, what its fixtures do."""

import copy
import pickle
import subprocess
import sys
import warnings

import cloudpickle
import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from firsthand.common.errors import UserError
from firsthand.envs.options import RENDERERS, check_arguments
from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.tasks.feasibility import feasible
from firsthand.envs.tasks.initial_states import HOME, initial_state
from firsthand.envs.tasks.tasks import BLOCKS, TASKS, block_slice
from tests.helpers.tables import STILL, restore

ROLLOUT = """
import hashlib, sys
import numpy as np
from firsthand.envs.playtable.env import PlayTable
from firsthand.envs.tasks.initial_states import initial_state
env = PlayTable(cameras={"rgb_static": 32, "rgb_gripper": 16}, action_repeat=3)
robot_obs, scene_obs = initial_state("push_red_block_left", 3, 0)
digest = hashlib.sha256()
rng, action = np.random.default_rng(0), np.zeros(7)
observation, _ = env.reset(options={"robot_obs": robot_obs, "scene_obs": scene_obs})
for _ in range(25):
    action = 0.8 * action + 0.4 * rng.normal(size=7) - np.array([0, 0, 0.1, 0, 0, 0, 0])
    observation, *_ = env.step(action)
    states = observation["robot_obs"], observation["scene_obs"]
    for value in (*observation["rgb_obs"].values(), *states):
        digest.update(value.tobytes())
print(digest.hexdigest())
"""


def test_importing_envs_starts_no_physics():
    code = "import sys, envs; sys.exit('pybullet' in sys.modules or 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_observation_contract():
    env = gymnasium.make(
        "firsthand/PlayTable-v0", cameras={"rgb_static": 40, "rgb_gripper": 24}, depth=True
    )
    observation, info = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert observation["rgb_obs"]["rgb_static"].shape == (40, 40, 3)
    assert observation["depth_obs"]["depth_gripper"].shape == (24, 24)
    assert 3.5 < np.median(observation["depth_obs"]["depth_static"]) < 5.0
    assert observation["robot_obs"].dtype == observation["scene_obs"].dtype == np.float64
    np.testing.assert_array_equal(info["robot_info"]["tcp_pos"], observation["robot_obs"][:3])
    blocks = info["scene_info"]["movable_objects"]
    assert list(blocks) == ["block_red", "block_blue", "block_pink"]
    np.testing.assert_array_equal(
        blocks["block_blue"]["current_pos"], observation["scene_obs"][12:15]
    )
    table = info["scene_info"]["fixed_objects"]["table"]
    assert table["links"] == {
        "base_link": -1, "button_link": 0, "switch_link": 1, "slide_link": 2, "drawer_link": 3,
        "led_link": 4, "light_link": 5, "plank_link": 6,
    }  # fmt: skip
    env.close()


@pytest.mark.parametrize(
    "arguments",
    [{}, {"scene": "B", "depth": True, "cameras": {"rgb_static": 16, "rgb_gripper": 16}}],
)
def test_gymnasium_accepts_the_environment(arguments):
    env = gymnasium.make("firsthand/PlayTable-v0", **arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize("scene", ["A", "D"])
def test_depth_is_what_pybullet_measures(scene):
    """Where both renderers see the same body, away from edges; metres along the optical axis."""
    sizes = {"rgb_static": 100, "rgb_gripper": 84}
    worlds = [PlayTable(scene, renderer=name, cameras=sizes, depth=True) for name in RENDERERS]
    _, scene_obs = initial_state("lift_red_block_table", 0, 0)
    options = {"robot_obs": HOME, "scene_obs": scene_obs}
    raster, tiny = (world.reset(options=options)[0]["depth_obs"] for world in worlds)
    bodies = [world.look(sizes) for world in worlds]
    for camera, far in (("static", 10.0), ("gripper", 2.0)):
        ours, theirs = raster[f"depth_{camera}"], tiny[f"depth_{camera}"]
        assert ours.dtype == theirs.dtype == np.float32
        seen = [looks[f"rgb_{camera}"].segmentation for looks in bodies]
        same = seen[0] == seen[1]
        assert same.mean() > 0.97
        difference = np.abs(ours - theirs)[same]
        assert np.median(difference) < 5e-4
        assert np.quantile(difference, 0.95) < 5e-3
        assert (ours > 0.01).all()
        assert (ours <= far).all()
    for world in worlds:
        world.close()


def test_nothing_is_drawn_until_somebody_looks(world, monkeypatch):
    from firsthand.envs.playtable.view import View

    drawn = []
    picture = View.picture
    monkeypatch.setattr(
        View,
        "picture",
        lambda self, camera, *rest: drawn.append(camera) or picture(self, camera, *rest),
    )
    restore(world)
    world.step(STILL)
    assert drawn == []
    seen = world.look({"rgb_gripper": 20})
    assert drawn == ["rgb_gripper"]
    assert seen["rgb_gripper"].rgb.shape == (20, 20, 3)
    assert world.render().shape == (200, 200, 3)
    always = PlayTable(cameras={"rgb_gripper": 20})
    restore(always)
    observation, *_ = always.step(STILL)
    np.testing.assert_array_equal(observation["rgb_obs"]["rgb_gripper"], seen["rgb_gripper"].rgb)
    always.close()
    with pytest.raises(UserError, match="rgb_left"):
        world.look({"rgb_left": 20})


def test_info_has_calvins_structure(world):
    _, info = restore(world, scene={4: 1, 3: 0.088, 5: 1})
    robot, scene = info["robot_info"], info["scene_info"]
    assert set(robot) == {
        "tcp_pos", "tcp_orn", "gripper_opening_width", "arm_joint_states", "gripper_action", "uid",
        "contacts",
    }  # fmt: skip
    assert set(scene) == {
        "fixed_objects", "movable_objects", "doors", "buttons", "switches", "lights",
    }  # fmt: skip
    for block in scene["movable_objects"].values():
        assert set(block) == {
            "current_pos", "current_orn", "current_lin_vel", "current_ang_vel", "contacts", "uid",
        }  # fmt: skip
        assert [len(block[key]) for key in ("current_pos", "current_orn")] == [3, 4]
        assert {contact[2] for contact in block["contacts"]} == {world.scene.table}
    lying = {contact[4] for contact in scene["movable_objects"]["block_red"]["contacts"]}
    assert lying == {-1}
    assert set(scene["doors"]) == {"base__slide", "base__drawer"}
    assert scene["switches"]["base__switch"] == {"joint_state": 0.088, "logical_state": 1}
    assert scene["buttons"]["base__button"] == {"joint_state": 0.0, "logical_state": 1}
    assert scene["lights"] == {"lightbulb": {"logical_state": 1}, "led": {"logical_state": 1}}
    assert robot["contacts"] == ()
    assert robot["gripper_action"] == 1


def test_without_cameras_the_pictures_are_empty_but_present():
    env = gymnasium.make("firsthand/PlayTable-v0", cameras={})
    observation, _ = env.reset(seed=0)
    assert observation["rgb_obs"] == {}
    assert env.observation_space.contains(observation)
    env.close()


def test_the_arm_starts_where_calvins_does(world):
    observation, _ = restore(world)
    np.testing.assert_allclose(observation["robot_obs"][:7], HOME[:7], atol=1e-4)


@pytest.mark.parametrize("index", range(4))
def test_reset_restores_a_state_to_the_last_bit(world, index):
    """Whatever the arm holds, the lamps show or the blocks lean on: all 39 numbers."""
    rng = np.random.default_rng(index)
    _, scene_obs = initial_state("lift_red_block_table", index, 0)
    scene_obs[3:6] = 0.088 * (index % 2), index % 2, index // 2
    world.reset(options={"robot_obs": HOME, "scene_obs": scene_obs})
    action = np.zeros(7)
    for _ in range(50):
        action = 0.8 * action + 0.4 * rng.normal(size=7) - np.array([0, 0, 0.1, 0, 0, 0, 0])
        observation, *_ = world.step(np.append(action[:6], (-1.0) ** index))
    states = {key: observation[key] for key in ("robot_obs", "scene_obs")}
    world.reset(seed=1)
    again, info = world.reset(options=states)
    for key, value in states.items():
        assert again[key].tobytes() == value.tobytes()
    assert again["robot_obs"][14] == info["robot_info"]["gripper_action"] == (-1.0) ** index
    assert info["scene_info"]["lights"]["led"]["logical_state"] == index // 2


@pytest.mark.parametrize("action_type", ["cartesian_rel", "cartesian_abs", "joint_abs"])
def test_whatever_state_a_world_comes_to_can_be_restored(world, action_type):
    """Also where the arm leans on something so hard that joints give way."""
    rough = PlayTable(cameras={}, action_type=action_type)
    rng = np.random.default_rng(0)
    rough.reset(seed=0)
    for _ in range(25):
        action = rng.uniform(rough.action_space.low, rough.action_space.high)
        if action_type == "cartesian_abs":
            action[:3] = rng.uniform([-0.4, -0.3, 0.3], [0.4, 0.2, 0.7])
        for _ in range(10):
            observation, *_ = rough.step(action)
        states = {key: observation[key] for key in ("robot_obs", "scene_obs")}
        again, _ = world.reset(options=states)
        for key, value in states.items():
            assert again[key].tobytes() == value.tobytes()
    rough.close()


def test_a_button_that_is_held_down_does_not_toggle_again(world):
    for led in (0, 1):
        observation, _ = restore(world, scene={2: 0.018, 5: led})
        assert observation["scene_obs"][2] == 0.018
        observation, *_ = world.step(STILL)
        assert observation["scene_obs"][5] == led


def test_same_reset_and_actions_give_the_same_bits_in_two_processes():
    runs = [
        subprocess.run([sys.executable, "-c", ROLLOUT], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    first, second = (run.stdout.split()[-1] for run in runs)
    assert len(first) == 64
    assert first == second


def test_a_reset_forgets_what_came_before_and_worlds_do_not_meet():
    used, fresh = PlayTable(cameras={}), PlayTable(cameras={})
    for seed in range(2):
        used.reset(seed=seed)
        for _ in range(15):
            used.step(np.array([0.3, 0.8, -1, 0, 0, 0, -1]))
    states = dict(zip(("robot_obs", "scene_obs"), initial_state("open_drawer", 0, 0), strict=True))
    for env in (used, fresh):
        env.reset(options=states)
    rng = np.random.default_rng(0)
    for _ in range(30):
        action = rng.uniform(-1, 1, 7) - np.array([0, 0, 0.5, 0, 0, 0, 0])
        one, other = used.step(action)[0], fresh.step(action)[0]
        np.testing.assert_array_equal(one["robot_obs"], other["robot_obs"])
        np.testing.assert_array_equal(one["scene_obs"], other["scene_obs"])
    used.close()
    fresh.reset(seed=0)
    fresh.step(STILL)
    fresh.close()
    fresh.close()


def test_a_full_action_moves_two_centimetres_a_control_step(world):
    start = restore(world)[0]["robot_obs"][:3]
    for _ in range(5):
        world.step(np.array([1, 0, 0, 0, 0, 0, 1.0]))
    for _ in range(8):
        observation, *_ = world.step(STILL)
    np.testing.assert_allclose(observation["robot_obs"][:3] - start, [0.1, 0, 0], atol=0.006)


def test_actions_are_clipped_and_repeated(world):
    restore(world)
    clipped = world.step(np.array([5, -5, 0.5, 0, 0, 9, 1.0]))[0]["robot_obs"]
    restore(world)
    full = world.step(np.array([1, -1, 0.5, 0, 0, 1, 1.0]))[0]["robot_obs"]
    np.testing.assert_array_equal(clipped, full)

    action = np.array([0.5, 0.2, 0.1, 0, 0.3, 0, -1])
    restore(world)
    for _ in range(3):
        one_by_one, *_ = world.step(action)
    slow = PlayTable(cameras={}, action_repeat=3)
    restore(slow)
    np.testing.assert_array_equal(slow.step(action)[0]["robot_obs"], one_by_one["robot_obs"])
    slow.close()


@pytest.mark.parametrize(
    ("action", "message"),
    [(np.zeros(6), r"\(7,\)"), (np.array([np.nan] * 7), "finite"), (np.zeros((1, 7)), r"\(1, 7\)")],
)
def test_bad_actions_are_named(world, action, message):
    restore(world)
    with pytest.raises(UserError, match=message):
        world.step(action)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"robot_state": HOME}, "robot_state"),
        ({"robot_obs": HOME[:7]}, r"robot_obs must have shape \(15,\)"),
        ({"scene_obs": np.full(24, np.inf)}, "scene_obs must be finite"),
        ({"task": "make_coffee"}, "make_coffee"),
        ({"task": ["open_drawer"]}, "open_drawer"),
        ({"instruction": 3}, "string"),
        (["robot_obs"], "dictionary"),
        ({"robot_obs": np.append(HOME[:14], 0.5)}, r"robot_obs\[14\] \(gripper action\)"),
        ({"robot_obs": np.append(np.full(14, 9.0), 1)}, r"robot_obs\[0\] \(tool x\) is 9"),
        ({"scene_obs": np.full(24, 0.5)}, r"scene_obs\[0\] \(slide\) is 0.5, outside"),
        ({"scene_obs": np.append([0, 0, 0, 0, 0.5], np.zeros(19))}, r"\(bulb\) must be 0 or 1"),
        ({"scene_obs": np.append([0, 0, 0, 0.088], np.zeros(20))}, "switch"),
        ({"scene_obs": np.append(np.zeros(23), 7)}, r"\(block_pink yaw\)"),
    ],
)
def test_bad_reset_options_are_named(world, options, message):
    with pytest.raises(UserError, match=message):
        world.reset(options=options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scene": "Z"}, "scene"),
        ({"renderer": "crayon"}, "renderer"),
        ({"cameras": {"rgb_left": 8}}, "rgb_left"),
        ({"cameras": {"rgb_static": 0}}, "size"),
        ({"action_repeat": 0}, "action_repeat"),
        ({"task": "open_draw"}, "did you mean 'open_drawer'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(UserError, match=message):
        PlayTable(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cameras": {"rgb_static": (200, 300)}}, r"size of rgb_static .*not \(200, 300\)"),
        ({"cameras": {"rgb_static": "64"}}, "not '64'"),
        ({"cameras": {"rgb_static": None}}, "not None"),
        ({"cameras": {"rgb_static": 31.0}}, "not 31.0"),
        ({"cameras": {"rgb_static": True}}, "not True"),
        ({"cameras": {3: 64}}, r"\['3'\]"),
        ({"cameras": "rgb_static"}, "dictionary"),
        ({"cameras": None}, "dictionary"),
        ({"action_repeat": "3"}, "not '3'"),
        ({"action_repeat": None}, "not None"),
        ({"action_repeat": 1.5}, "not 1.5"),
        ({"action_repeat": np.nan}, "not nan"),
        ({"require_stable": "false"}, "require_stable must be True or False, not 'false'"),
        ({"require_stable": None}, "require_stable"),
        ({"depth": "no"}, "depth must be True or False, not 'no'"),
        ({"depth": 1}, "depth"),
    ],
)
def test_arguments_of_another_kind_are_named(arguments, message):
    """Checked where no annotation of a constructor is checked before."""
    good = {"cameras": {}, "action_repeat": 1, "depth": False, "require_stable": True}
    with pytest.raises(UserError, match=message):
        check_arguments("D", "raster", **{**good, **arguments})


def test_numbers_of_numpy_are_numbers():
    cameras = {"rgb_static": np.int64(8)}
    check_arguments("D", "raster", cameras, np.int32(2), np.bool_(True), np.bool_(False))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps, cloudpickle.dumps])
def test_a_world_says_that_it_cannot_be_copied(world, copied):
    """Physics lives in this process; half a copy would say that it is closed."""
    world.reset(seed=0)
    with pytest.raises(TypeError, match=r"PlayTable cannot be copied.*make\(world\.spec"):
        copied(world)
    world.step(STILL)


@pytest.mark.parametrize("task", TASKS)
def test_a_reset_with_a_task_gives_a_layout_in_which_it_can_be_begun(world, task):
    """`feasible` wants to know which block is in the gripper, if one is: the one nearest to it."""
    for seed in range(3):
        observation, _ = world.reset(seed=seed, options={"task": task})
        robot_obs, scene_obs = observation["robot_obs"], observation["scene_obs"]
        near = min(
            BLOCKS, key=lambda b: np.linalg.norm(scene_obs[block_slice(b)][:3] - robot_obs[:3])
        )
        held = np.linalg.norm(scene_obs[block_slice(near)][:3] - robot_obs[:3]) < 0.03
        assert feasible(task, scene_obs, world.layout, near if held else None), (task, seed)
        again, _ = world.reset(seed=seed, options={"task": task})
        np.testing.assert_array_equal(again["scene_obs"], scene_obs)


def test_states_that_are_given_stay_whatever_the_task(world):
    robot_obs, scene_obs = initial_state("close_drawer", 0, 0)
    seen, _ = world.reset(seed=0, options={"scene_obs": scene_obs, "task": "open_drawer"})
    np.testing.assert_array_equal(seen["scene_obs"], scene_obs)
    seen, _ = world.reset(seed=0, options={"robot_obs": robot_obs, "task": "open_drawer"})
    np.testing.assert_array_equal(seen["robot_obs"][7:14], robot_obs[7:14])


def test_a_bare_reset_goes_on_with_the_task(world):
    def judged(**reset) -> tuple[str | None, str]:
        _, info = world.reset(**reset)
        tasks = [task for task in TASKS if world._judge and world._judge._task is TASKS[task]]
        return (tasks[0] if tasks else None), info["instruction"]

    said = {"task": "open_drawer", "instruction": "pull it open"}
    assert judged() == (None, "")
    assert judged(options=said) == ("open_drawer", "pull it open")
    assert judged() == ("open_drawer", "pull it open")
    assert judged(options={"task": "turn_on_led"}) == ("turn_on_led", "")
    with pytest.raises(UserError):
        world.reset(options={"task": "close_draw"})
    assert judged() == ("turn_on_led", "")
    assert judged(options={}) == (None, "")
    assert judged(options=said) == ("open_drawer", "pull it open")
    assert judged(seed=0) == (None, "")  # the same reset gives the same episode


def test_a_task_of_the_constructor_is_every_resets():
    env = PlayTable(cameras={}, task="open_drawer", instruction="pull")
    for reset in ({}, {"seed": 1}, {"options": {}}):
        assert env.reset(**reset)[1]["instruction"] == "pull"
        assert env._judge is not None
    assert env.reset(options={"task": "open_drawer"})[1]["instruction"] == "pull"
    assert env.reset(options={"task": "turn_on_led"})[1]["instruction"] == ""  # "pull" is no light
    assert env.reset(options={"task": None})[1]["instruction"] == ""
    assert env._judge is None
    env.close()


def test_a_world_must_be_reset_first_and_not_be_closed(world):
    for call in (lambda: world.step(STILL), world.render, world.look):
        with pytest.raises(gymnasium.error.ResetNeeded):
            call()
    world.reset(seed=0)
    world.close()
    for call in (lambda: world.step(STILL), world.reset, world.render):
        with pytest.raises(gymnasium.error.ClosedEnvironmentError):
            call()
