"""The one original simulator of a process: started from a checkout, ended without traces."""

import shutil
import tempfile
import warnings
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from firsthand.common.errors import UserError
from firsthand.envs.calvin.checkout import Checkout
from firsthand.envs.calvin.light_robot import light_urdf
from firsthand.envs.calvin.simulator import simulator_class
from firsthand.rendering.bullet import pybullet


class Session:
    """Starts `simulator`, the original's own environment, with both of its cameras.

    As it comes from here it is what its authors run without a GPU: its `step` draws, and returns
    four values. A process can hold one, and PyBullet's world number 0 must be free for it: the
    original addresses that one in places.

    Args:
        checkout: of calvin_env.
        scene: A, B, C or D.
        sizes: edge in pixels of the pictures of rgb_static and rgb_gripper.
        light_robot: whether to draw the arm by its collision meshes.

    Raises:
        UserError: the checkout or a package that it needs lacks something, or this process has a
            simulator already.
    """

    _is_open: ClassVar[bool] = False

    def __init__(
        self, checkout: Checkout, scene: str, sizes: Mapping[str, int], light_robot: bool = False
    ) -> None:
        make = simulator_class(checkout)
        if Session._is_open or pybullet.isConnected(0):
            who = "another original" if Session._is_open else "another PyBullet"
            raise UserError(
                f"{who} world is open in this process, and calvin_env needs a process of its own: "
                "close that world first, or use another process"
            )
        folder = Path(tempfile.mkdtemp(prefix="calvin-"))
        try:
            settings = _settings(checkout, scene, sizes, folder if light_robot else None)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of calvin_env's age
                self.simulator = make(**settings)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        Session._is_open = True
        self._end = weakref.finalize(self, _end, self.simulator, folder)

    @property
    def is_open(self) -> bool:
        return self._end.alive

    def close(self) -> None:
        """Ends the simulator and removes temporary files; may be called twice."""
        self._end()


def _end(simulator: Any, folder: Path) -> None:
    simulator.close()
    shutil.rmtree(folder, ignore_errors=True)
    Session._is_open = False


def _settings(
    checkout: Checkout, scene: str, sizes: Mapping[str, int], light: Path | None
) -> dict[str, Any]:
    """The arguments of the original's class, from the checkout's configuration. `light` is where to
    write the description of an arm with fewer triangles."""
    config = checkout.config(scene)
    for name, camera in config.cameras.items():
        camera.width = camera.height = sizes[f"rgb_{name}"]
    if light is not None:
        urdf = light / "panda.urdf"
        urdf.write_text(light_urdf(Path(config.data_path) / config.robot.filename))
        config.robot.filename = str(urdf)
    settings = {name: config.env[name] for name in config.env if name[0] != "_"}
    return settings | {"show_gui": False, "use_egl": False, "use_scene_info": True}
