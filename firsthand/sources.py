"""What can be converted, by name: every choice of `source=`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from episodes.calvin import Calvin
from episodes.ego4d import Ego4D
from episodes.epic import EpicKitchens
from episodes.lerobot import LeRobot
from episodes.pictures import PictureFolders
from episodes.robomimic import Robomimic
from episodes.saycam import Saycam
from episodes.saycam_videos import SaycamVideos
from episodes.something import SomethingSomething
from episodes.videos import VideoFolder


@dataclass(frozen=True, kw_only=True)
class Gr1:
    """A published checkpoint of GR-1, which becomes a policy.

    clip, mae: where its frozen encoders are, if it does not hold them itself.
    """

    root: Path
    clip: str | None = None
    mae: str | None = None


@dataclass(frozen=True, kw_only=True)
class Cvcl:
    """A published checkpoint of CVCL, which becomes a word-grounding model.

    vocabulary: CVCL's vocab.json, which its checkpoints lack.
    padding: how a transformer's padding counts; "upstream" is as CVCL did it.
    """

    root: Path
    vocabulary: str | None = None
    padding: Literal["masked", "upstream"] = "masked"


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Episodes of ours, a corpus or files, which become a dataset of others.

    format: LeRobot's v3.0.
    """

    root: str
    format: Literal["lerobot"] = "lerobot"


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
    "episodes": Corpus,
    "gr1": Gr1,
    "lerobot": LeRobot,
    "pictures": PictureFolders,
    "robomimic": Robomimic,
    "saycam": Saycam,
    "saycam_videos": SaycamVideos,
    "something": SomethingSomething,
    "videos": VideoFolder,
}
