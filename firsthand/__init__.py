"""Teach a robot arm to follow instructions by first watching first-person video.

Everything a user needs is named here; nothing is loaded before it is used:

    recordings   Episode, Narration, EpisodeFile, EpisodeWriter, Corpus, Windows, WindowSpec
    datasets     VideoFolder, Calvin, LeRobot, Robomimic, Ego4D, EpicKitchens, SomethingSomething,
                 Saycam, SaycamVideos, extract_frames, PictureFolders, read, convert,
                 ConvertSettings, LeRobotWriter, HandsConfig, make_hands
    policy       Policy, PolicyConfig, Batch, load_gr1
    grounding    GroundingModel, load_cvcl
    learning     TrainConfig, PretrainConfig, FinetuneConfig (and `firsthand.pretrain.pretrain`,
                 `firsthand.finetune.finetune`)
    worlds       PlayTable (gymnasium id firsthand/PlayTable-v0), TASKS, ExpertPolicy
    recording    RecordConfig, record, replay
    evaluation   EvaluationConfig, evaluate_tasks, evaluate_chains
    errors       UserError: the input is at fault, said in one line

`gymnasium.make` knows the worlds once this package is imported, before gymnasium or after it.
"""

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firsthand.common.errors import UserError
    from firsthand.envs.evaluation.evaluate import EvaluationConfig, evaluate_chains, evaluate_tasks
    from firsthand.envs.experts.expert import ExpertPolicy
    from firsthand.envs.playtable.env import PlayTable
    from firsthand.envs.recording.record import RecordConfig, record
    from firsthand.envs.recording.replay import replay
    from firsthand.envs.tasks.tasks import TASKS
    from firsthand.episodes.convert.convert import ConvertSettings, convert
    from firsthand.episodes.convert.source import read
    from firsthand.episodes.corpus.corpus import Corpus
    from firsthand.episodes.episode import Episode, Narration, WindowSpec
    from firsthand.episodes.formats.calvin.dataset import Calvin
    from firsthand.episodes.formats.ego4d import Ego4D
    from firsthand.episodes.formats.epic_kitchens import EpicKitchens
    from firsthand.episodes.formats.image_folder import PictureFolders
    from firsthand.episodes.formats.lerobot.reader import LeRobot
    from firsthand.episodes.formats.lerobot.writer import LeRobotWriter
    from firsthand.episodes.formats.robomimic.reader import Robomimic
    from firsthand.episodes.formats.saycam.dataset import Saycam
    from firsthand.episodes.formats.saycam.videos import SaycamVideos, extract_frames
    from firsthand.episodes.formats.something_something import SomethingSomething
    from firsthand.episodes.formats.video_folder import VideoFolder
    from firsthand.episodes.sampling.windows import Windows
    from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter
    from firsthand.finetune.recipe import FinetuneConfig
    from firsthand.grounding.checkpoints.cvcl import load_cvcl
    from firsthand.grounding.model import GroundingModel
    from firsthand.policy.batch import Batch
    from firsthand.policy.checkpoints.gr1 import load_gr1
    from firsthand.policy.config import PolicyConfig
    from firsthand.policy.policy import Policy
    from firsthand.pretrain.recipe import PretrainConfig
    from firsthand.synthetic.hands.corpus import HandsConfig, make_hands
    from firsthand.training.config import TrainConfig

__version__ = "0.2.0"
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
    "GroundingModel",
    "HandsConfig",
    "LeRobot",
    "LeRobotWriter",
    "Narration",
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
    "load_cvcl",
    "load_gr1",
    "make_hands",
    "read",
    "record",
    "replay",
]

_HOMES = {
    "firsthand.envs.evaluation.evaluate": ("EvaluationConfig", "evaluate_chains", "evaluate_tasks"),
    "firsthand.envs.experts.expert": ("ExpertPolicy",),
    "firsthand.synthetic.hands.corpus": ("HandsConfig", "make_hands"),
    "firsthand.envs.playtable.env": ("PlayTable",),
    "firsthand.envs.recording.record": ("RecordConfig", "record"),
    "firsthand.envs.recording.replay": ("replay",),
    "firsthand.envs.tasks.tasks": ("TASKS",),
    "firsthand.episodes.formats.calvin.dataset": ("Calvin",),
    "firsthand.episodes.convert.convert": ("ConvertSettings", "convert"),
    "firsthand.episodes.corpus.corpus": ("Corpus",),
    "firsthand.episodes.formats.ego4d": ("Ego4D",),
    "firsthand.episodes.formats.epic_kitchens": ("EpicKitchens",),
    "firsthand.episodes.episode": ("Episode", "Narration", "WindowSpec"),
    "firsthand.common.errors": ("UserError",),
    "firsthand.episodes.formats.lerobot.reader": ("LeRobot",),
    "firsthand.episodes.formats.lerobot.writer": ("LeRobotWriter",),
    "firsthand.episodes.formats.image_folder": ("PictureFolders",),
    "firsthand.episodes.formats.robomimic.reader": ("Robomimic",),
    "firsthand.episodes.formats.saycam.dataset": ("Saycam",),
    "firsthand.episodes.formats.saycam.videos": ("SaycamVideos", "extract_frames"),
    "firsthand.episodes.formats.something_something": ("SomethingSomething",),
    "firsthand.episodes.convert.source": ("read",),
    "firsthand.episodes.storage.merge": ("EpisodeFile", "EpisodeWriter"),
    "firsthand.episodes.formats.video_folder": ("VideoFolder",),
    "firsthand.episodes.sampling.windows": ("Windows",),
    "firsthand.finetune.recipe": ("FinetuneConfig",),
    "firsthand.grounding.checkpoints.cvcl": ("load_cvcl",),
    "firsthand.grounding.model": ("GroundingModel",),
    "firsthand.policy.batch": ("Batch",),
    "firsthand.policy.config": ("PolicyConfig",),
    "firsthand.policy.checkpoints.gr1": ("load_gr1",),
    "firsthand.policy.policy": ("Policy",),
    "firsthand.pretrain.recipe": ("PretrainConfig",),
    "firsthand.training.config": ("TrainConfig",),
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
    importlib.import_module("firsthand.envs")


if _REGISTRY in sys.modules:
    _register()
else:
    sys.meta_path.insert(0, _Registrar())
