"""Teach a robot arm to follow instructions by first watching first-person video.

Everything a user needs is named here; nothing is loaded before it is used:

    recordings   Episode, Narration, EpisodeFile, EpisodeWriter, Corpus, Windows, WindowSpec
    datasets     VideoFolder, Calvin, LeRobot, Robomimic, Ego4D, EpicKitchens, SomethingSomething,
                 Saycam, SaycamVideos, extract_frames, PictureFolders, read, convert,
                 ConvertSettings, LeRobotWriter, NurseryConfig, make_nursery
    policy       Policy, PolicyConfig, Batch, load_gr1
    learning     TrainConfig, PretrainConfig, pretrain, FinetuneConfig, finetune
    worlds       PlayTable (gymnasium id firsthand/PlayTable-v0), TASKS, ExpertPolicy
    recording    RecordConfig, record, replay
    evaluation   EvaluationConfig, evaluate_tasks, evaluate_chains
    errors       UserError: the input is at fault, said in one line

`gymnasium.make` knows the worlds once this package is imported, before gymnasium or after it.
"""

import importlib
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envs.evaluation import EvaluationConfig, evaluate_chains, evaluate_tasks
    from envs.experts import ExpertPolicy
    from envs.nursery.corpus import NurseryConfig, make_nursery
    from envs.playtable import PlayTable
    from envs.record import RecordConfig, record
    from envs.replay import replay
    from envs.tasks import TASKS
    from episodes.calvin import Calvin
    from episodes.conversion import ConvertSettings, convert
    from episodes.corpus import Corpus
    from episodes.ego4d import Ego4D
    from episodes.epic import EpicKitchens
    from episodes.episode import Episode, Narration, WindowSpec
    from episodes.errors import UserError
    from episodes.lerobot import LeRobot
    from episodes.lerobot_writer import LeRobotWriter
    from episodes.pictures import PictureFolders
    from episodes.robomimic import Robomimic
    from episodes.saycam import Saycam
    from episodes.saycam_videos import SaycamVideos, extract_frames
    from episodes.something import SomethingSomething
    from episodes.source import read
    from episodes.store import EpisodeFile, EpisodeWriter
    from episodes.videos import VideoFolder
    from episodes.windows import Windows
    from finetune.recipe import FinetuneConfig, finetune
    from policy.batch import Batch
    from policy.config import PolicyConfig
    from policy.official import load_gr1
    from policy.policy import Policy
    from pretrain.recipe import PretrainConfig, pretrain
    from training.config import TrainConfig

__version__ = "0.1.0"
__all__ = [
    "TASKS",
    "Batch",
    "Calvin",
    "ConvertSettings",
    "Corpus",
    "Ego4D",
    "EpicKitchens",
    "Episode",
    "EpisodeFile",
    "EpisodeWriter",
    "EvaluationConfig",
    "ExpertPolicy",
    "FinetuneConfig",
    "LeRobot",
    "LeRobotWriter",
    "Narration",
    "NurseryConfig",
    "PictureFolders",
    "PlayTable",
    "Policy",
    "PolicyConfig",
    "PretrainConfig",
    "RecordConfig",
    "Robomimic",
    "Saycam",
    "SaycamVideos",
    "SomethingSomething",
    "TrainConfig",
    "UserError",
    "VideoFolder",
    "WindowSpec",
    "Windows",
    "convert",
    "evaluate_chains",
    "evaluate_tasks",
    "extract_frames",
    "finetune",
    "load_gr1",
    "make_nursery",
    "pretrain",
    "read",
    "record",
    "replay",
]

_HOMES = {
    "envs.evaluation": ("EvaluationConfig", "evaluate_chains", "evaluate_tasks"),
    "envs.experts": ("ExpertPolicy",),
    "envs.nursery.corpus": ("NurseryConfig", "make_nursery"),
    "envs.playtable": ("PlayTable",),
    "envs.record": ("RecordConfig", "record"),
    "envs.replay": ("replay",),
    "envs.tasks": ("TASKS",),
    "episodes.calvin": ("Calvin",),
    "episodes.conversion": ("ConvertSettings", "convert"),
    "episodes.corpus": ("Corpus",),
    "episodes.ego4d": ("Ego4D",),
    "episodes.epic": ("EpicKitchens",),
    "episodes.episode": ("Episode", "Narration", "WindowSpec"),
    "episodes.errors": ("UserError",),
    "episodes.lerobot": ("LeRobot",),
    "episodes.lerobot_writer": ("LeRobotWriter",),
    "episodes.pictures": ("PictureFolders",),
    "episodes.robomimic": ("Robomimic",),
    "episodes.saycam": ("Saycam",),
    "episodes.saycam_videos": ("SaycamVideos", "extract_frames"),
    "episodes.something": ("SomethingSomething",),
    "episodes.source": ("read",),
    "episodes.store": ("EpisodeFile", "EpisodeWriter"),
    "episodes.videos": ("VideoFolder",),
    "episodes.windows": ("Windows",),
    "finetune.recipe": ("FinetuneConfig", "finetune"),
    "policy.batch": ("Batch",),
    "policy.config": ("PolicyConfig",),
    "policy.official": ("load_gr1",),
    "policy.policy": ("Policy",),
    "pretrain.recipe": ("PretrainConfig", "pretrain"),
    "training.config": ("TrainConfig",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'firsthand' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


_REGISTRY = "gymnasium.envs.registration"


class _Registrar:
    """Registers the worlds as soon as gymnasium is there: loading it for that alone would cost more
    time than `firsthand --help` takes."""

    def find_spec(self, name: str, *place: Any) -> ModuleSpec | None:
        if name != _REGISTRY:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_register(module: Any) -> None:
                load(module)
                _register()

            spec.loader.exec_module = load_and_register
        return spec


def _register() -> None:
    """By importing `envs`, if that is ours: a user's package of the name is not ours to start."""
    ours = os.path.join(os.path.dirname(os.path.dirname(__file__)), "envs", "__init__.py")
    found = importlib.util.find_spec("envs")
    if found is not None and os.path.realpath(found.origin or "") == os.path.realpath(ours):
        importlib.import_module("envs")


if _REGISTRY in sys.modules:
    _register()
else:
    sys.meta_path.insert(0, _Registrar())
