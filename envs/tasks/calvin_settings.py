"""The settings in which results on CALVIN are reported: what is learned from, and what is asked.

From the benchmark itself (Mees et al. 2022) and from GR-1 (Wu et al. 2023), which added the ones
with little data and with unseen language.
"""

from dataclasses import dataclass
from typing import Literal

from firsthand.envs.config import Scene
from firsthand.envs.tasks.instructions import Wording

SettingName = Literal[
    "multi_task", "single_scene", "zero_shot_scene", "ten_percent", "unseen_language"
]


@dataclass(frozen=True)
class Setting:
    """`learned` names the scenes of the demonstrations, of which `share` is used; the policy is
    tested in the scene `tested` on sentences of the kind `instructions`."""

    learned: tuple[Scene, ...] = ("A", "B", "C", "D")
    share: float = 1.0
    tested: Scene = "D"
    instructions: Wording = "validation"


SETTINGS: dict[SettingName, Setting] = {
    "multi_task": Setting(),
    "single_scene": Setting(learned=("D",)),
    "zero_shot_scene": Setting(learned=("A", "B", "C")),
    "ten_percent": Setting(share=0.1),
    "unseen_language": Setting(instructions="unseen"),
}
