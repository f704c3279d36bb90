"""Our renderer and PyBullet's see the same world: shapes, frames, pixel centres, depth, colours."""

import re
from pathlib import Path

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.rendering import textures
from firsthand.rendering.pybullet_renderer import RasterRenderer, TinyRenderer
from firsthand.rendering.rasterizer import Camera, Picture

pybullet = pytest.importorskip("pybullet")
pybullet_data = pytest.importorskip("pybullet_data")

STATIC = ((2.871459, -2.166602, 2.555160), (-0.026242, -0.030233, 0.392), (0.404, 0.226, 0.886))
JOINTS = [-1.21779206, 1.03987646, 2.11978261, -2.34205014, -0.87015947, 1.64119353, 0.55344866]


def static_camera(size: int) -> Camera:
    return Camera.look_at(*STATIC, fov=10, near=0.01, far=10, width=size, height=size)


def close_camera(width: int, height: int) -> Camera:
    eye, target = (0.9, -0.8, 1.0), (0.0, -0.05, 0.5)
    return Camera.look_at(
        eye, target, (0, 0, 1), fov=60, near=0.01, far=8, width=width, height=height
    )


@pytest.fixture
def client():
    number = pybullet.connect(pybullet.DIRECT)
    pybullet.setAdditionalSearchPath(pybullet_data.getDataPath(), physicsClientId=number)
    yield number
    pybullet.disconnect(number)


def add_box(client: int, sides, position, color=(1, 0, 0, 1), turn=(0, 0, 0)) -> int:
    half = [side / 2 for side in sides]
    shape = pybullet.createVisualShape(
        pybullet.GEOM_BOX, halfExtents=half, rgbaColor=color, physicsClientId=client
    )
    quaternion = pybullet.getQuaternionFromEuler(turn)
    return pybullet.createMultiBody(1, -1, shape, position, quaternion, physicsClientId=client)


def add_panda(client: int, folder) -> int:
    """pybullet_data's Panda with its collision meshes for a look."""
    root = f"{pybullet_data.getDataPath()}/franka_panda"
    text = Path(f"{root}/panda.urdf").read_text()
    text = text.replace("meshes/visual/", "meshes/collision/")
    text = text.replace("package://meshes", f"{root}/meshes")
    path = folder / "panda.urdf"
    path.write_text(text)
    robot = pybullet.loadURDF(
        str(path), (-0.34, -0.46, 0.24), useFixedBase=True, physicsClientId=client
    )
    for joint, angle in enumerate(JOINTS):
        pybullet.resetJointState(robot, joint, angle, physicsClientId=client)
    return robot


def agreement(first: Picture, second: Picture) -> float:
    return float((first.segmentation == second.segmentation).mean())


def depth_error(first: Picture, second: Picture) -> float:
    """The median over pixels where both see the same body."""
    both = (first.segmentation == second.segmentation) & (first.segmentation >= 0)
    return float(np.median(np.abs(first.depth - second.depth)[both]))


@pytest.mark.parametrize("camera", [static_camera(200), static_camera(96), close_camera(128, 96)])
def test_both_renderers_see_the_same_tabletop(client, tmp_path, camera: Camera) -> None:
    pybullet.loadURDF("plane.urdf", physicsClientId=client)
    add_panda(client, tmp_path)
    table = add_box(client, (0.88, 0.36, 0.04), (0, 0, 0.42), (0.8, 0.6, 0.4, 1))
    add_box(client, (0.04, 0.04, 0.04), (0.1, -0.1, 0.46), turn=(0, 0, 0.3))
    add_box(client, (0.08, 0.04, 0.04), (-0.1, 0.05, 0.46), (0, 0, 1, 1), turn=(0, 0, 1.2))
    raster = RasterRenderer(client, {(table, -1): textures.wood(0), (0, -1): textures.tiles(0)})
    ours, tiny = raster.render(camera), TinyRenderer(client).render(camera)
    assert ours.rgb.shape == tiny.rgb.shape == (camera.height, camera.width, 3)
    assert len(np.unique(ours.segmentation)) >= 4
    assert agreement(ours, tiny) >= 0.99
    assert depth_error(ours, tiny) < 5e-4


def test_every_kind_of_shape_lies_where_pybullet_draws_it(client) -> None:
    duck = f"{pybullet_data.getDataPath()}/duck.obj"
    kinds = [
        {"shapeType": pybullet.GEOM_SPHERE, "radius": 0.1},
        {"shapeType": pybullet.GEOM_CYLINDER, "radius": 0.08, "length": 0.3},
        {"shapeType": pybullet.GEOM_CAPSULE, "radius": 0.08, "length": 0.2},
        {"shapeType": pybullet.GEOM_BOX, "halfExtents": [0.05, 0.1, 0.15]},
        {"shapeType": pybullet.GEOM_MESH, "fileName": duck, "meshScale": [0.1, 0.1, 0.1]},
    ]
    for i, kind in enumerate(kinds):
        shape = pybullet.createVisualShape(
            **kind,
            visualFramePosition=[0.02, 0.03, 0.04],
            visualFrameOrientation=pybullet.getQuaternionFromEuler([0.3, 0.2, 0.1]),
            physicsClientId=client,
        )
        turn = pybullet.getQuaternionFromEuler([0.5, -0.4, 0.3 * i])
        pybullet.createMultiBody(
            1,
            -1,
            shape,
            [-0.6 + 0.3 * i, 0, 0.5],
            turn,
            baseInertialFramePosition=[0.05, -0.02, 0.03],
            physicsClientId=client,
        )
    camera = close_camera(160, 160)
    ours, tiny = RasterRenderer(client).render(camera), TinyRenderer(client).render(camera)
    assert set(np.unique(ours.segmentation)) == {-1, 0, 1, 2, 3, 4}
    assert agreement(ours, tiny) >= 0.985
    assert depth_error(ours, tiny) < 2e-3


ARM = """<robot name="arm">
<link name="base"><inertial><origin xyz="0.1 0 0.05" rpy="0 0 0.4"/><mass value="1"/>
<inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>
<visual><origin xyz="0 0 0.1"/><geometry><box size="0.2 0.1 0.2"/></geometry></visual></link>
<link name="tip"><inertial><origin xyz="0 0.2 0" rpy="0.3 0 0"/><mass value="1"/>
<inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>
<visual><origin xyz="0 0.1 0" rpy="0 0.5 0"/><geometry><box size="0.05 0.3 0.1"/></geometry>
</visual>
</link>
<joint name="hinge" type="revolute"><parent link="base"/><child link="tip"/>
<origin xyz="0 0.05 0.25" rpy="0.1 0.2 0.3"/><axis xyz="1 0 0"/>
<limit lower="-2" upper="2" effort="9" velocity="9"/></joint></robot>"""


def test_links_follow_their_joints_whatever_their_inertial_frames(client, tmp_path) -> None:
    (tmp_path / "arm.urdf").write_text(ARM)
    arm = pybullet.loadURDF(
        str(tmp_path / "arm.urdf"), (0, 0, 0.3), useFixedBase=True, physicsClientId=client
    )
    ours, tiny, camera = RasterRenderer(client), TinyRenderer(client), close_camera(120, 120)
    before = ours.render(camera)
    assert agreement(before, tiny.render(camera)) >= 0.998
    pybullet.resetJointState(arm, 0, 0.9, physicsClientId=client)
    after = ours.render(camera)
    assert agreement(after, tiny.render(camera)) >= 0.998
    assert agreement(before, after) < 0.995


@pytest.mark.parametrize("kind", [RasterRenderer, TinyRenderer])
def test_a_lamp_changes_its_colour(client, kind) -> None:
    lamp = add_box(client, (0.4, 0.4, 0.4), (0, 0, 0.5), (1, 1, 1, 1))
    renderer, camera = kind(client), close_camera(32, 32)
    red, _, blue = renderer.render(camera).rgb[16, 16].astype(int)
    assert abs(red - blue) < 3
    renderer.recolor(lamp, -1, (1, 1, 0, 1))
    red, green, blue = renderer.render(camera).rgb[16, 16].astype(int)
    assert red == green > 50 > blue


def test_depth_is_metres_along_the_optical_axis(client) -> None:
    add_box(client, (4, 4, 0.2), (0, 0, 0))
    camera = Camera.look_at(
        (0.2, 0.1, 1.6), (0.2, 0.1, 0), (0, 1, 0), fov=80, near=0.1, far=5, width=20, height=20
    )
    for renderer in (RasterRenderer(client), TinyRenderer(client)):
        picture = renderer.render(camera)
        np.testing.assert_allclose(picture.depth, 1.5, rtol=1e-4)


def test_a_shape_that_cannot_be_read_is_named(client, tmp_path) -> None:
    source = tmp_path / "cube.obj"
    source.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n")
    shape = pybullet.createVisualShape(
        pybullet.GEOM_MESH, fileName=str(source), physicsClientId=client
    )
    pybullet.createMultiBody(1, -1, shape, physicsClientId=client)
    source.write_text("not a mesh\n")
    with pytest.raises(UserError, match=re.escape(str(source))):
        RasterRenderer(client)
