"""Which world to act in, as plain data that can be compared, stored and sent to other processes.

`make` is called in the process that acts; reading a configuration starts no physics.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from firsthand.common.errors import UserError

Looks = Literal["scene", "random"]
Scene = Literal["A", "B", "C", "D"]
Renderer = Literal["raster", "tiny"]


@dataclass(frozen=True)
class PlayTableWorld:
    """The project's own world."""

    alone: ClassVar[bool] = False  # whether there can be only one in a process

    scene: Scene = "D"
    """Which of CALVIN's four desks."""
    renderer: Renderer = "raster"
    """Who draws: "raster" (own, fast) or "tiny" (PyBullet's)."""
    require_stable: bool = True
    """Whether a task must stay done for three control steps (0.1 s), so that a bounce is no
    success; false counts as CALVIN does."""
    looks: Looks = "scene"
    """What is drawn: the "scene" as it is, or "random" colours, textures, light and cameras in
    every episode, by the state that it begins in (`envs.playtable.looks`)."""

    def __post_init__(self) -> None:
        if self.looks == "random" and self.renderer != "raster":
            raise UserError(f"env.looks=random is drawn by renderer=raster, not {self.renderer}")

    def make(self, cameras: Mapping[str, int], action_repeat: int = 1, depth: bool = False) -> Any:
        """The gymnasium environment.

        Args:
            cameras: edge in pixels of every camera's square picture; {} draws nothing.
            action_repeat: control steps (1/30 s) an action lasts.
            depth: whether to observe depth.

        Raises:
            UserError: an argument is not possible.
        """
        from firsthand.envs.playtable.env import PlayTable

        return PlayTable(
            self.scene, self.renderer, cameras, action_repeat, depth,
            require_stable=self.require_stable, looks=self.looks,
        )  # fmt: skip

    def describe(self) -> dict[str, Any]:
        """What results depend on, ready for JSON; results of other worlds are not mixed with it."""
        looks = {} if self.looks == "scene" else {"looks": self.looks}
        return looks | {
            "world": "PlayTable",
            "scene": self.scene,
            "renderer": self.renderer,
            "require_stable": self.require_stable,
        }

    def env_args(self, cameras: Mapping[str, int], action_repeat: int) -> dict[str, Any]:
        """What recordings say of the world in robomimic's words: `gymnasium.make(env_name,
        **env_kwargs)` makes it, after `import firsthand`."""
        settings = {name: value for name, value in self.describe().items() if name != "world"}
        settings |= {"cameras": dict(cameras), "action_repeat": action_repeat}
        return {"env_name": "firsthand/PlayTable-v0", "env_type": 2, "env_kwargs": settings}


@dataclass(frozen=True)
class CalvinWorld:
    """CALVIN's original simulator (Mees et al. 2022), from a checkout that the user has."""

    alone: ClassVar[bool] = True

    root: Path
    """The checkout of calvin_env."""
    scene: Scene = "D"
    """Which of the four desks."""
    renderer: Renderer = "tiny"
    """Who draws: "tiny" (PyBullet's, as the original without a GPU) or "raster" (own, fast)."""
    light_robot: bool = False
    """Whether to draw the arm by its collision meshes, 30 times fewer triangles."""
    require_stable: bool = False
    """As PlayTable's; false, CALVIN's own way, for numbers to compare with published ones."""

    def make(self, cameras: Mapping[str, int], action_repeat: int = 1, depth: bool = False) -> Any:
        """See `PlayTableWorld.make`. There can be one such environment a process.

        Raises:
            UserError: the checkout or a package that it needs is missing; says what to do.
        """
        from firsthand.envs.calvin.env import CalvinEnv

        return CalvinEnv(
            self.root, self.scene, self.renderer, cameras, action_repeat, depth,
            light_robot=self.light_robot, require_stable=self.require_stable,
        )  # fmt: skip

    def describe(self) -> dict[str, Any]:
        """See `PlayTableWorld.describe`. The revision stands for the checkout, wherever it lies.

        Raises:
            UserError: `root` is no checkout of calvin_env.
        """
        from firsthand.envs.calvin.checkout import Checkout

        checkout = Checkout(self.root)
        return {
            "world": "calvin_env",
            "scene": self.scene,
            "renderer": self.renderer,
            "light_robot": self.light_robot,
            "require_stable": self.require_stable,
            "revision": checkout.revision,
            "warnings": list(checkout.warnings),
        }

    def env_args(self, cameras: Mapping[str, int], action_repeat: int) -> dict[str, Any]:
        """See `PlayTableWorld.env_args`; this world has no name in gymnasium, and no place that is
        the same on other machines."""
        settings = self.describe() | {"cameras": dict(cameras), "action_repeat": action_repeat}
        return {"env_name": settings.pop("world"), "env_type": 2, "env_kwargs": settings}


World = PlayTableWorld | CalvinWorld
CHOICES: dict[str, type] = {"playtable": PlayTableWorld, "calvin": CalvinWorld}
