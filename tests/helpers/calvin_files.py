"""A made-up checkout of the original simulator: its files, and nothing that moves."""

import subprocess
import textwrap
from pathlib import Path

import numpy as np

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


def write_checkout(folder: Path) -> None:
    """Writes the files below a folder."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text).lstrip("\n"))


def git(folder: Path, *words: str) -> None:
    """Runs git in a folder, by nobody."""
    author = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
    subprocess.run(["git", "-C", str(folder), *author, *words], check=True, capture_output=True)


def commit(folder: Path) -> None:
    """Makes a folder a repository with one commit of all that is in it."""
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "A checkout")
