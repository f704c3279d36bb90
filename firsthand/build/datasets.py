"""What can be converted, by name: every choice of `source=`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from firsthand.episodes.formats.calvin.dataset import Calvin
from firsthand.episodes.formats.ego4d import Ego4D
from firsthand.episodes.formats.epic_kitchens import EpicKitchens
from firsthand.episodes.formats.image_folder import PictureFolders
from firsthand.episodes.formats.lerobot.reader import LeRobot
from firsthand.episodes.formats.robomimic.reader import Robomimic
from firsthand.episodes.formats.saycam.dataset import Saycam
from firsthand.episodes.formats.saycam.videos import SaycamVideos
from firsthand.episodes.formats.something_something import SomethingSomething
from firsthand.episodes.formats.video_folder import VideoFolder


@dataclass(frozen=True, kw_only=True)
class Gr1:
    """A published checkpoint of GR-1, which becomes a policy."""

    root: Path
    """Its file."""
    clip: str | None = None
    """Where its frozen language encoder is, if it does not hold it: a file, a directory or a hub
    name."""
    mae: str | None = None
    """The same of its image encoder."""


@dataclass(frozen=True, kw_only=True)
class Cvcl:
    """A published checkpoint of CVCL, which becomes a word-grounding model."""

    root: Path
    """Its file."""
    vocabulary: str | None = None
    """CVCL's vocab.json, which its checkpoints lack."""
    padding: Literal["masked", "upstream"] = "masked"
    """How a transformer's padding counts; `upstream`: as CVCL did it."""


@dataclass(frozen=True, kw_only=True)
class EpisodeExport:
    """Episodes of ours, a corpus or files, which become a dataset of others."""

    root: str
    """The corpus or files."""
    format: Literal["lerobot"] = "lerobot"
    """Of the dataset: LeRobot's v3.0."""


Dataset = (
    Calvin
    | Ego4D
    | EpicKitchens
    | LeRobot
    | PictureFolders
    | Robomimic
    | Saycam
    | SaycamVideos
    | SomethingSomething
    | VideoFolder
)
Checkpoint = Gr1 | Cvcl
CHOICES = {
    "calvin": Calvin,
    "cvcl": Cvcl,
    "ego4d": Ego4D,
    "epic": EpicKitchens,
    "episodes": EpisodeExport,
    "gr1": Gr1,
    "lerobot": LeRobot,
    "pictures": PictureFolders,
    "robomimic": Robomimic,
    "saycam": Saycam,
    "saycam_videos": SaycamVideos,
    "something": SomethingSomething,
    "videos": VideoFolder,
}
