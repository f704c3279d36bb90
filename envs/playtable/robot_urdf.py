"""The Panda's URDF: PyBullet's own with light meshes, longer fingers, tool and camera frames."""

import re
from pathlib import Path

import pybullet_data

WHITE, GREY, DARK = "0.93 0.93 0.94 1", "0.55 0.57 0.60 1", "0.22 0.23 0.25 1"
_COLORS = {"panda_link1": GREY, "panda_link3": GREY, "panda_link5": GREY, "panda_link7": GREY}
_FINGER = """
  <link name="panda_{side}finger">
    <contact><friction_anchor/><stiffness value="30000.0"/><damping value="1000.0"/>
      <spinning_friction value="0.1"/><lateral_friction value="1.0"/></contact>
    <inertial><origin xyz="0 {knuckle} 0.02"/><mass value="0.1"/>
      <inertia ixx="0.1" ixy="0" ixz="0" iyy="0.1" iyz="0" izz="0.1"/></inertial>
    {shapes}
  </link>
"""
_HAND_FRAMES = """
  <link name="gripper_cam"><inertial><mass value="0"/>
    <inertia ixx="0" ixy="0" ixz="0" iyy="0" iyz="0" izz="0"/></inertial></link>
  <joint name="gripper_cam_joint" type="fixed">
    <parent link="panda_hand"/><child link="gripper_cam"/>
    <origin xyz="-0.1 0 0" rpy="1.3 0 -1.57"/></joint>
  <link name="tcp"><inertial><mass value="0"/>
    <inertia ixx="0" ixy="0" ixz="0" iyy="0" iyz="0" izz="0"/></inertial></link>
  <joint name="tcp_joint" type="fixed"><parent link="panda_hand"/><child link="tcp"/>
    <origin xyz="0 0 0.14" rpy="0 0 0"/></joint>
</robot>
"""
# A finger: a knuckle that rides in the hand, and a pad that reaches 1 cm beyond the tool point.
# Extents along the hand's x, y (away from the other finger) and z, from the finger's own frame.
_KNUCKLE = ((-0.0105, 0.0105), (0.0, 0.0264), (0.0, 0.035))
_PAD = ((-0.0105, 0.0105), (0.0, 0.0130), (0.035, 0.0916))


def panda_urdf() -> str:
    """The robot's URDF: light meshes for the eye too, long fingers, tool and camera frames.

    The visual meshes of the package have 102 thousand triangles, its collision meshes 3 thousand.
    """
    folder = Path(pybullet_data.getDataPath()) / "franka_panda"
    text = (folder / "panda.urdf").read_text()
    text = text.replace("meshes/visual", "meshes/collision")
    text = text.replace("package://", f"{folder.as_posix()}/")
    for side in ("left", "right"):
        text = _replace_link(text, f"panda_{side}finger", _finger(side))
    text = _replace_link(text, "panda_grasptarget", "")
    text = re.sub(r'<joint name="panda_grasptarget_hand".*?</joint>', "", text, flags=re.S)
    text = re.sub(r"<material name=\"[^\"]*\"\s*(/>|>.*?</material>)", "", text, flags=re.S)
    for link in re.findall(r'<link name="(panda_link\d|panda_hand)"', text):
        color = DARK if link == "panda_hand" else _COLORS.get(link, WHITE)
        material = f'<material name="{link}_color"><color rgba="{color}"/></material></visual>'
        start = text.index(f'<link name="{link}"')
        head, tail = text[:start], text[start:]
        text = head + tail.replace("</visual>", material, 1) if "<visual>" in tail else text
    return text.replace("</robot>", _HAND_FRAMES)


def _replace_link(text: str, name: str, new: str) -> str:
    return re.sub(rf'<link name="{name}">.*?</link>', lambda _: new, text, count=1, flags=re.S)


def _finger(side: str) -> str:
    sign = 1 if side == "left" else -1
    shapes = []
    for kind in ("visual", "collision"):
        for index, (x, y, z) in enumerate((_KNUCKLE, _PAD)):
            center = f"{sum(x) / 2} {sign * sum(y) / 2} {sum(z) / 2}"
            size = f"{x[1] - x[0]} {y[1] - y[0]} {z[1] - z[0]}"
            paint = (
                f'<material name="{side}{index}"><color rgba="{(GREY, DARK)[index]}"/></material>'
            )
            shapes.append(
                f'<{kind}><origin xyz="{center}"/><geometry><box size="{size}"/></geometry>'
                f"{paint if kind == 'visual' else ''}</{kind}>"
            )
    return _FINGER.format(side=side, knuckle=0.01 * sign, shapes="\n".join(shapes))
