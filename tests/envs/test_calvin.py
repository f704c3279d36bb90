"""The adapter to the original simulator, against a made-up checkout: what it reads, does, refuses.

`test_calvin_original.py` runs the real one where a checkout is named.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from envs import calvin_simulator
from envs.bullet import pybullet
from envs.calvin import Calvin
from envs.calvin_blocks import BlockOrder
from envs.calvin_checkout import MAIN, PINNED, Checkout
from envs.calvin_robot import light_urdf
from envs.calvin_simulator import simulator_class
from envs.calvin_textures import textures
from envs.tasks import BLOCKS
from envs.trials import HOME, generator, sample_scene
from envs.worlds import CalvinWorld
from episodes.errors import UserError

ORIGINAL_ORDER = ("block_pink", "block_blue", "block_red")
SCENE_OBS = np.arange(24.0)
FILES = {
    "calvin_env/__init__.py": "",
    "conf/config_data_collection.yaml": """
        seed: 0
        use_vr: true
        data_path: data
        defaults:
          - cameras: no_cameras
          - env: play_table_env
          - scene: calvin_scene_D
          - robot: long
          - recorder: not_there
          - override hydra/job_logging: colorlog
    """,
    "conf/env/play_table_env.yaml": """
        _target_: calvin_env.envs.play_table_env.PlayTableSimEnv
        cameras: ${cameras}
        use_vr: ${use_vr}
        robot_cfg: ${robot}
        scene_cfg: ${scene}
        use_egl: true
    """,
    "conf/robot/short.yaml": "{filename: panda/short.urdf, links: 13, base: '${scene.base}'}",
    "conf/robot/long.yaml": """
        defaults: [short]
        filename: panda/long.urdf
    """,
    "conf/scene/calvin_scene_A.yaml": "{data_path: '${data_path}', base: [1, 2, 3]}",
    "conf/cameras/static_and_gripper.yaml": """
        defaults:
          - cameras@static: static
          - cameras@gripper: gripper
    """,
    "conf/cameras/cameras/static.yaml": "{name: static, width: 200, height: 200}",
    "conf/cameras/cameras/gripper.yaml": "{name: gripper, width: 84, height: 84}",
    "data/panda/long.urdf": """
        <robot name="panda"><link name="arm">
          <visual><geometry><mesh filename="package://meshes/visual/arm.obj"/></geometry></visual>
          <visual><geometry><mesh filename="package://meshes/visual/tip.stl"/></geometry></visual>
          <collision><geometry>
            <mesh filename="package://meshes/collision/arm.obj"/>
          </geometry></collision>
        </link></robot>
    """,
    "data/panda/meshes/visual/arm.obj": "many triangles",
    "data/panda/meshes/collision/arm.obj": "few triangles",
    "data/panda/meshes/visual/tip.stl": "drawn as it is",
    "calvin_env/envs/__init__.py": "",
    "calvin_env/envs/play_table_env.py": """
        import gym
        from gym.utils import seeding
        from types import SimpleNamespace as Thing
        import numpy as np

        def get_git_commit_hash(path):
            raise RuntimeError("not a work tree")

        class PlayTableSimEnv(gym.Env):
            def __init__(self, robot_cfg, scene_cfg, cameras, show_gui, use_vr, use_egl,
                         use_scene_info):
                assert use_scene_info and not (show_gui or use_vr or use_egl)
                get_git_commit_hash(None)
                self.calls, self.sizes = [], {c.name: c.width for c in cameras.values()}
                self.base, self.file = list(robot_cfg.base), robot_cfg.filename
                self.cameras = [Thing(name=name) for name in cameras]
                names = ["block_pink", "block_blue", "block_red"]
                self.scene = Thing(
                    movable_objects=[Thing(name=name) for name in names],
                    step=lambda: self.calls.append("logic"),
                    get_obs=lambda: self.state[1],
                    get_info=self.scene_info,
                )
                self.robot = Thing(
                    robot_uid=0,
                    gripper_action=1,
                    apply_action=self.apply,
                    get_observation=lambda: (self.state[0], self.robot_info()),
                )
                self.ownsPhysicsClient, self.cid, self.p = True, 0, self

            def disconnect(self):
                self.calls.append("disconnect")

            def load(self):
                self.calls.append("load")
                self.robot.gripper_action = 1

            def reset(self, robot_obs, scene_obs):
                self.calls.append("reset")
                self.state = robot_obs, scene_obs.copy()

            def apply(self, action):
                self.calls.append(action.tolist())
                action *= 0

            def robot_info(self):
                return {"tcp_pos": (0, 0, 0), "tcp_orn": (0, 0, 0), "arm_joint_states": [0] * 7,
                        "gripper_action": np.float64(self.robot.gripper_action), "uid": 0}

            def scene_info(self):
                blocks = {
                    block.name: {"current_pos": (0, 0, 0), "current_orn": (0, 0, 0, 1),
                                 "current_lin_vel": (0, 0, 0), "current_ang_vel": (0, 0, 0),
                                 "contacts": (), "uid": number}
                    for number, block in enumerate(self.scene.movable_objects, 2)
                }
                return {"movable_objects": blocks}
    """,
}


def _dedent(text: str) -> str:
    import textwrap

    return textwrap.dedent(text).lstrip("\n")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A folder that looks like a checkout of calvin_env and simulates nothing."""
    folder = tmp_path / "checkout"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(_dedent(text))
    yield folder
    for module in [name for name in sys.modules if name.split(".")[0] == "calvin_env"]:
        del sys.modules[module]


@pytest.fixture
def no_physics(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package is asked for, and PyBullet's world 0 is one arm that nothing happens to."""
    monkeypatch.setattr(calvin_simulator, "_PACKAGES", {})
    monkeypatch.setattr(pybullet, "isConnected", lambda client: False)
    monkeypatch.setattr(pybullet, "stepSimulation", lambda **world: None)
    monkeypatch.setattr(pybullet, "getNumJoints", lambda body, client: 1)
    joint = (0,) * 12 + (b"gripper_cam",)
    monkeypatch.setattr(pybullet, "getJointInfo", lambda body, index, client: joint)


@pytest.fixture
def world(root: Path, no_physics: None) -> Iterator[Calvin]:
    """The adapter around the made-up simulator."""
    env = Calvin(root, "A", cameras={}, light_robot=True)
    yield env
    env.close()


def _git(folder: Path, *words: str) -> None:
    author = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
    subprocess.run(["git", "-C", str(folder), *author, *words], check=True, capture_output=True)


def _commit(folder: Path) -> None:
    _git(folder, "init", "-q")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "A checkout")


# --- block order ---------------------------------------------------------------------------------


def test_blocks_come_red_blue_pink() -> None:
    ours = BlockOrder(ORIGINAL_ORDER).to_ours(SCENE_OBS)
    np.testing.assert_array_equal(ours[:6], SCENE_OBS[:6])
    np.testing.assert_array_equal(ours[6:12], SCENE_OBS[18:24])  # red is the original's last
    np.testing.assert_array_equal(ours[18:], SCENE_OBS[6:12])


@pytest.mark.parametrize(
    "names", [BLOCKS, ORIGINAL_ORDER, ("block_blue", "block_red", "block_pink")]
)
def test_block_order_can_be_undone(names: tuple[str, ...]) -> None:
    order = BlockOrder(names)
    np.testing.assert_array_equal(order.to_original(order.to_ours(SCENE_OBS)), SCENE_OBS)
    np.testing.assert_array_equal(order.to_ours(order.to_original(SCENE_OBS)), SCENE_OBS)


def test_other_blocks_are_refused() -> None:
    with pytest.raises(UserError, match="block_green"):
        BlockOrder(("block_green", "block_blue", "block_red"))


# --- the checkout --------------------------------------------------------------------------------


def test_a_folder_that_is_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no checkout of calvin_env.*git clone"):
        Checkout(tmp_path)


def test_a_checkout_of_calvin_around_it(root: Path) -> None:
    around = root.parent / "calvin"
    around.mkdir()
    root.rename(around / "calvin_env")
    with pytest.raises(UserError, match=f"use {around / 'calvin_env'}"):
        Checkout(around)


def test_a_submodule_that_was_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "calvin_env").mkdir()
    with pytest.raises(UserError, match="submodule update --init"):
        Checkout(tmp_path)


def test_no_work_tree_is_a_warning(root: Path) -> None:
    checkout = Checkout(root)
    assert checkout.revision == "unknown"
    assert "no git work tree" in checkout.warnings[0]


def test_a_commit_around_the_checkout_is_not_its_revision(root: Path) -> None:
    _commit(root.parent)
    assert Checkout(root).revision == "unknown"


def test_another_revision_and_local_changes_are_warnings(root: Path) -> None:
    _commit(root)
    checkout = Checkout(root)
    assert len(checkout.revision) == 40
    assert f"neither {MAIN[:7]} nor {PINNED[:7]}" in checkout.warnings[0]
    (root / "conf/robot/short.yaml").write_text("links: 14")
    assert "conf/robot/short.yaml" in Checkout(root).warnings[1]


@pytest.mark.parametrize(("revision", "count"), [(MAIN, 0), (PINNED, 1)])
def test_known_revisions(
    root: Path, revision: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"rev-parse --show-toplevel": str(root), "rev-parse HEAD": revision}
    monkeypatch.setattr(Checkout, "_git", lambda self, *words: answers.get(" ".join(words), ""))
    assert len(Checkout(root).warnings) == count


def test_configuration_is_that_of_the_checkout(root: Path) -> None:
    config = Checkout(root).config("A")
    assert config.robot == {"filename": "panda/long.urdf", "links": 13, "base": [1, 2, 3]}
    assert list(config.env.cameras) == ["static", "gripper"]
    assert config.env.cameras.gripper.width == 84
    assert config.env.scene_cfg.data_path == str(root / "data")
    assert config.env.use_vr is False


def test_a_missing_configuration_file(root: Path) -> None:
    with pytest.raises(UserError, match=r"calvin_scene_B.yaml is missing"):
        Checkout(root).config("B")


# --- the light arm -------------------------------------------------------------------------------


def test_light_arm_is_drawn_by_its_collision_meshes(root: Path) -> None:
    urdf = root / "data/panda/long.urdf"
    before = urdf.read_bytes()
    text = light_urdf(urdf)
    assert text.count(str(root / "data/panda/meshes/collision/arm.obj")) == 2
    assert str(root / "data/panda/meshes/visual/tip.stl") in text
    assert "package://" not in text
    assert urdf.read_bytes() == before


def test_an_arm_without_collision_meshes(root: Path) -> None:
    (root / "data/panda/meshes/collision/arm.obj").unlink()
    with pytest.raises(UserError, match="no visual mesh"):
        light_urdf(root / "data/panda/long.urdf")
    (root / "data/panda/long.urdf").write_text("<robot>")
    with pytest.raises(UserError, match="no robot description"):
        light_urdf(root / "data/panda/long.urdf")
    with pytest.raises(UserError, match="cannot be read"):
        light_urdf(root / "absent.urdf")


# --- textures ------------------------------------------------------------------------------------


def test_textures_are_found_through_materials(tmp_path: Path) -> None:
    from PIL import Image

    picture = np.zeros((48, 72, 3), np.uint8)
    picture[:24] = 200, 100, 50
    Image.fromarray(picture).save(tmp_path / "wood.png")
    (tmp_path / "desk.mtl").write_text("newmtl a\nmap_Kd D:\\gone.png\nmap_Kd wood.png\n")
    mesh = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
    (tmp_path / "desk.obj").write_text("mtllib desk.mtl\nusemtl a\n" + mesh)
    (tmp_path / "plain.obj").write_text("mtllib absent.mtl\n" + mesh)
    client = pybullet.connect(pybullet.DIRECT)
    try:
        for name in ("plain.obj", "desk.obj"):
            shape = pybullet.createVisualShape(
                pybullet.GEOM_MESH, fileName=str(tmp_path / name), physicsClientId=client
            )
            pybullet.createMultiBody(baseVisualShapeIndex=shape, physicsClientId=client)
        found = textures(client)
    finally:
        pybullet.disconnect(client)
    assert list(found) == [(1, -1)]
    assert found[1, -1].shape == (512, 512, 3)
    assert found[1, -1][0, 0].tolist() == [200, 100, 50]


# --- the simulator -------------------------------------------------------------------------------


def test_missing_packages_are_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calvin_simulator, "_PACKAGES", {"no_such_module": "some-package"})
    with pytest.raises(UserError, match="pip install some-package"):
        simulator_class(Checkout(root))


def test_another_checkout_in_one_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calvin_simulator, "_PACKAGES", {})
    simulator_class(Checkout(root))
    other = root.with_name("other")
    root.rename(other)
    with pytest.raises(UserError, match="in another process"):
        simulator_class(Checkout(other))


def test_gym_is_not_left_behind(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calvin_simulator, "_PACKAGES", {})
    had_gym = "gym" in sys.modules
    simulator_class(Checkout(root))
    assert ("gym" in sys.modules) == had_gym


# --- the world -----------------------------------------------------------------------------------


def test_reset_loads_anew_and_restores_gripper_and_blocks(world: Calvin) -> None:
    simulator = world._simulator
    robot_obs = np.append(HOME[:14], -1)
    scene_obs = sample_scene(generator(0, "scene", "A", 0), world.layout)
    for _ in range(2):
        observation, info = world.reset(options={"robot_obs": robot_obs, "scene_obs": scene_obs})
        assert simulator.calls == ["load", "reset"]
        simulator.calls.clear()
    assert info["robot_info"]["gripper_action"] == -1
    assert list(info["scene_info"]["movable_objects"]) == list(BLOCKS)
    np.testing.assert_array_equal(simulator.state[1][18:], scene_obs[6:12])
    np.testing.assert_array_equal(observation["scene_obs"], scene_obs)


def test_actions_are_clipped_and_sent_once_a_control_step(world: Calvin) -> None:
    world.action_repeat = 2
    world.reset(seed=0)
    world._simulator.calls.clear()
    _, _, _, _, info = world.step(np.array([5, -5, 0.5, 0, 0, 0, 0.2]))
    sent = [1, -1, 0.5, 0, 0, 0, 1]
    assert world._simulator.calls == [sent, "logic", sent, "logic"]
    assert info["control_steps"] == 2


def test_one_world_a_process(world: Calvin, root: Path) -> None:
    with pytest.raises(UserError, match="process of its own"):
        Calvin(root, "A", cameras={})
    world.close()
    world.close()
    again = Calvin(root, "A", cameras={"rgb_static": 50})
    assert again._simulator.sizes == {"static": 50, "gripper": 84}
    again.close()
    assert again._simulator.calls[-1] == "disconnect"


@pytest.mark.usefixtures("no_physics")
def test_world_number_0_must_be_free(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pybullet, "isConnected", lambda client: client == 0)
    with pytest.raises(UserError, match="another PyBullet world"):
        Calvin(root, "A")


def test_light_arm_lies_outside_the_checkout(world: Calvin, root: Path) -> None:
    file = Path(world._simulator.file)
    assert file.is_file()
    assert not file.is_relative_to(root)
    world.close()
    assert not file.exists()


@pytest.mark.usefixtures("no_physics")
def test_full_arm_comes_from_the_checkout(root: Path) -> None:
    env = CalvinWorld(root, scene="A").make({})
    assert env._simulator.file == "panda/long.urdf"
    assert env._simulator.base == [1, 2, 3]
    env.close()


def test_description_names_the_revision_and_no_folder(root: Path) -> None:
    _commit(root)
    described = CalvinWorld(root, scene="A", light_robot=True).describe()
    assert described["revision"] == Checkout(root).revision
    assert described["scene"] == "A"
    assert str(root) not in str(described)
