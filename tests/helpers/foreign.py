"""Small sound datasets of every format that is read, to be damaged."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from PIL import Image

from firsthand.episodes.convert.source import Source
from firsthand.episodes.formats.calvin.dataset import Calvin
from firsthand.episodes.formats.ego4d import Ego4D
from firsthand.episodes.formats.epic_kitchens import EpicKitchens
from firsthand.episodes.formats.image_folder import PictureFolders
from firsthand.episodes.formats.lerobot.reader import LeRobot
from firsthand.episodes.formats.robomimic.reader import Robomimic
from firsthand.episodes.formats.saycam.dataset import Saycam
from firsthand.episodes.formats.saycam.utterances import Utterance, frame_name, write_utterances
from firsthand.episodes.formats.saycam.videos import SaycamVideos
from firsthand.episodes.formats.something_something import SomethingSomething
from firsthand.episodes.formats.video_folder import VideoFolder
from tests.helpers.films import moving, write_film

DATA = Path(__file__).parents[1] / "data"


@cache
def film() -> Path:
    """Four seconds of H.264."""
    return write_film(Path(mkdtemp()) / "film.mp4", 60, rate=15, g="15")


def copied(name: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        shutil.copytree(DATA / name, root, dirs_exist_ok=True)

    return make


def put(root: Path, name: str, text: str | None = None) -> None:
    """A text, or a film, in a file of a new folder."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        shutil.copy(film(), root / name)
    else:
        (root / name).write_text(text)


def videos(root: Path) -> None:
    put(root, "a.mp4")
    put(root, "deep/b.mp4")
    put(root, "deep/b.csv", "start,end,text\n0,1,stir\n1,2,pour\n")
    put(root, "narrations.json", json.dumps({"a.mp4": "cut it"}))


def pictures(root: Path) -> None:
    for folder in ("a", "b"):
        (root / folder).mkdir(parents=True)
        for index in range(5):
            Image.fromarray(moving(index)).save(root / folder / f"frame_{index}.jpg", quality=90)
    put(root, "narrations.json", json.dumps({"a": [{"start": 0, "end": 0.3, "text": "stir"}]}))


def ego4d(root: Path) -> None:
    said = {}
    for uid in ("one", "two"):
        put(root, f"v2/full_scale/{uid}.mp4")
        lines = [
            {"timestamp_sec": second, "timestamp_frame": 15 * second, "narration_text": text}
            for second, text in ((1.6, "#C C stirs the pan"), (2.2, "#C C opens a lid"))
        ]
        said[uid] = {"status": "complete", "narration_pass_1": {"narrations": lines}}
    put(root, "v2/annotations/narration.json", json.dumps(said))
    listed = [{"video_uid": uid, "duration_sec": 4.0, "split_em": "train"} for uid in said]
    put(root, "ego4d.json", json.dumps({"version": "v2", "videos": listed}))


EPIC = (
    "narration_id,participant_id,video_id,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "narration,verb,noun\n"
)


def epic(root: Path) -> None:
    for video in ("P01_01", "P01_11"):
        put(root, f"P01/videos/{video}.MP4")
    put(
        root,
        "EPIC_100_train.csv",
        EPIC + "P01_01_0,P01,P01_01,00:00:00.14,00:00:03.10,8,186,open door,open,door\n"
        "P01_01_1,P01,P01_01,00:00:01.00,00:00:02.50,60,150,put down plate,put-down,plate\n",
    )
    row = "P01_11_0,P01,P01_11,00:00:00.00,00:00:01.89,1,113,take plate,take,plate\n"
    put(root, "EPIC_100_validation.csv", EPIC + row)


def something(root: Path) -> None:
    for number in (45, 2):
        put(root, f"20bn-something-something-v2/{number}.webm")
    for split, number in (("train", "45"), ("validation", "2")):
        row = {"id": number, "label": "pulling tin", "template": "Pulling [something]"}
        put(root, f"labels/{split}.json", json.dumps([row | {"placeholders": ["tin"]}]))


def saycam(root: Path) -> None:
    (root / "train_5fps").mkdir(parents=True)
    rows = []
    for number in range(3):
        names = tuple(frame_name(f"S_{number}", 1, frame) for frame in range(2))
        for frame, name in enumerate(names):
            picture = Image.fromarray(moving(2 * number + frame, 48, 48))
            picture.save(root / "train_5fps" / name, quality=90)
        video = f"S_{number}"
        row = Utterance("a ball", f"{video}.csv", f"{video}.mp4", 1, 2, (1.0, 1.2), names)
        rows.append(row)
    for split, part in {"train": rows[:2], "val": rows[2:], "test": []}.items():
        write_utterances(root / f"{split}.json", part)


def saycam_videos(root: Path) -> None:
    for video in ("S_1", "S_2"):
        put(root, f"videos/{video}.mp4")
        rows = f"0:00,M,look a ball.,{video}.MOV\n0:01,M,bye,\n0:02,M,you,\n"
        put(root, f"transcripts/{video}.csv", "Time,Speaker,Utterance,Video Name\n" + rows)


def robomimic(root: Path) -> None:
    root.mkdir(parents=True)
    for name in ("a.hdf5", "b.hdf5"):
        shutil.copy(DATA / "robomimic" / "lift.hdf5", root / name)


@dataclass(frozen=True)
class Format:
    """make: writes the dataset into a folder; source: reads it.

    needed: files without which something is lost. extra: files that only tell more.
    """

    make: Callable[[Path], None]
    source: Callable[[Path], Source]
    needed: tuple[str, ...]
    extra: tuple[str, ...] = ()


TASK = "training"
V30 = "chunk-000/file-000"
FORMATS = {
    "calvin": Format(
        copied("calvin/task_D_D"),
        lambda root: Calvin(root=root),
        (
            f"{TASK}/episode_0000003.npz",
            f"{TASK}/ep_start_end_ids.npy",
            f"{TASK}/lang_annotations/auto_lang_ann.npy",
            f"{TASK}/scene_info.npy",
        ),
        (f"{TASK}/ep_lens.npy", f"{TASK}/statistics.yaml"),
    ),
    "lerobot v2.1": Format(
        copied("lerobot_v21"),
        lambda root: LeRobot(root=root),
        (
            "meta/info.json",
            "meta/episodes.jsonl",
            "meta/tasks.jsonl",
            "data/chunk-000/episode_000001.parquet",
            "videos/chunk-000/observation.images.front/episode_000001.mp4",
        ),
    ),
    "lerobot v3.0": Format(
        copied("lerobot_v30"),
        lambda root: LeRobot(root=root),
        (
            "meta/info.json",
            "meta/tasks.parquet",
            f"meta/episodes/{V30}.parquet",
            f"data/{V30}.parquet",
            f"videos/observation.images.front/{V30}.mp4",
        ),
    ),
    "robomimic": Format(robomimic, lambda root: Robomimic(root=root), ("b.hdf5",)),
    "videos": Format(
        videos,
        lambda root: VideoFolder(root=root, size=16),
        ("deep/b.mp4", "deep/b.csv", "narrations.json"),
    ),
    "pictures": Format(
        pictures,
        lambda root: PictureFolders(root=root, size=16),
        ("b/frame_2.jpg", "narrations.json"),
    ),
    "ego4d": Format(
        ego4d,
        lambda root: Ego4D(root=root, size=16),
        ("v2/annotations/narration.json", "ego4d.json", "v2/full_scale/two.mp4"),
    ),
    "epic": Format(
        epic,
        lambda root: EpicKitchens(root=root, size=16),
        ("EPIC_100_train.csv", "P01/videos/P01_01.MP4"),
    ),
    "something": Format(
        something,
        lambda root: SomethingSomething(root=root, size=16),
        ("labels/train.json", "20bn-something-something-v2/45.webm"),
    ),
    "saycam": Format(
        saycam,
        lambda root: Saycam(root=root, size=16),
        ("train.json", "train_5fps/S_1_001_00.jpg"),
    ),
    "saycam videos": Format(
        saycam_videos,
        lambda root: SaycamVideos(root=root, size=16),
        ("transcripts/S_1.csv", "videos/S_1.mp4"),
    ),
}
