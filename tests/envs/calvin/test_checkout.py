"""What the adapter reads of a checkout of the original simulator, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.envs.calvin.block_order import BlockOrder
from firsthand.envs.calvin.checkout import MAIN, PINNED, Checkout
from firsthand.envs.calvin.light_robot import light_urdf
from firsthand.envs.calvin.textures import textures
from firsthand.envs.tasks.tasks import BLOCKS
from firsthand.rendering.bullet import pybullet
from tests.helpers.calvin_files import ORIGINAL_ORDER, SCENE_OBS, commit

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
    commit(root.parent)
    assert Checkout(root).revision == "unknown"


def test_another_revision_and_local_changes_are_warnings(root: Path) -> None:
    commit(root)
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
