"""Files that are well formed and say what cannot be, or what is meant to do harm."""

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.damage import hostile_pickle, outcome
from tests.helpers.foreign import EPIC, FORMATS

Edit = Callable[[Path], object]
NAN, HUGE = float("nan"), 10**12


def frame(**changes: Any) -> Edit:
    """Change arrays of a frame of CALVIN; None removes one."""

    def edit(root: Path) -> None:
        path = root / "training/episode_0000003.npz"
        with np.load(path) as arrays:
            values = dict(arrays) | changes
        np.savez(path, **{name: value for name, value in values.items() if value is not None})

    return edit


def ids(*rows: Any) -> Edit:
    return lambda root: np.save(root / "training/ep_start_end_ids.npy", np.array(rows))


def said(change: Callable[[dict], Any]) -> Edit:
    """Change the annotations of CALVIN."""

    def edit(root: Path) -> None:
        path = root / "training/lang_annotations/auto_lang_ann.npy"
        table = np.load(path, allow_pickle=True).item()
        np.save(path, np.array(change(table) or table, object))

    return edit


def raw(name: str, data: bytes | str | Callable[[Path], bytes]) -> Edit:
    def edit(root: Path) -> None:
        content = data(root) if callable(data) else data
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return edit


def with_json(name: str, change: Callable[[Any], Any]) -> Edit:
    def edit(root: Path) -> None:
        content = json.loads((root / name).read_text())
        (root / name).write_text(json.dumps(change(content) or content))

    return edit


def latin(name: str, text: str) -> Edit:
    """One byte of an encoding that the rest of the file is not in, behind a text in it."""

    def edit(root: Path) -> None:
        content = (root / name).read_bytes()
        assert text.encode() in content
        (root / name).write_bytes(content.replace(text.encode(), text.encode() + b"\xe9"))

    return edit


def info(**changes: Any) -> Edit:
    return with_json("meta/info.json", lambda content: content | changes)


def replaced(name: str, old: str, new: str) -> Edit:
    def edit(root: Path) -> None:
        content = (root / name).read_text()
        assert old in content
        (root / name).write_text(content.replace(old, new, 1))

    return edit


def link_out(name: str) -> Edit:
    """The file lies outside, and a link to it where it was."""

    def edit(root: Path) -> None:
        (root / name).rename(root.parent / "outside")
        (root / name).symlink_to(root.parent / "outside")

    return edit


def runs(root: Path) -> bytes:
    """A .npy file with a pickle that runs something."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + hostile_pickle(root)


DEEP = "[" * 50_000 + "]" * 50_000
PATHS = ("../outside", "/etc/passwd", "a/../../outside", "a\0b")
ANN = "training/lang_annotations/auto_lang_ann.npy"
STEPS = "meta/episodes.jsonl"
TALK = "v2/annotations/narration.json"
LABELS = "labels/train.json"
FIRST = "one", "narration_pass_1", "narrations", 0


def at(*path: Any, **values: Any) -> Callable[[Any], None]:
    """Changes a table deep in another."""

    def change(content: Any) -> None:
        for step in path:
            content = content[step]
        content.update(values)

    return change


CASES: dict[str, list[tuple[str, Edit, str]]] = {
    "calvin": [
        ("object in a frame", frame(robot_obs=np.array([{}], object)), "Python objects"),
        ("nan state", frame(robot_obs=np.full(15, NAN)), "not finite"),
        ("infinite action", frame(rel_actions=np.full(7, np.inf)), "not finite"),
        ("no picture", frame(rgb_static=None), "lacks 'rgb_static'"),
        ("no state", frame(robot_obs=None), "lacks 'robot_obs'"),
        ("another size", frame(rgb_static=np.zeros((8, 9, 3), np.uint8)), "frame 3: rgb_static is"),
        ("float picture", frame(rgb_static=np.zeros((16, 16, 3))), "frame 3: rgb_static is"),
        ("short state", frame(robot_obs=np.zeros(14)), "robot_obs"),
        ("text for a state", frame(robot_obs=np.array("x")), "robot_obs"),
        ("scalar picture", frame(rgb_static=np.uint8(3)), "frame 3: rgb_static is"),
        ("float ids", ids([0.5, 3.0]), "whole numbers"),
        ("overlapping ids", ids([0, 5], [3, 9]), "overlaps"),
        ("reversed ids", ids([5, 0]), "not first <= last"),
        ("negative ids", ids([-5, 0]), "not first <= last"),
        ("huge ids", ids([0, HUGE]), "not first <= last|missing"),
        ("three columns", ids([0, 1, 2]), r"whole numbers \(n, 2\)"),
        ("no ids", lambda root: np.save(
            root / "training/ep_start_end_ids.npy", np.zeros((0, 2), int)), "no trajectory"),
        ("link", link_out("training/episode_0000003.npz"), "outside"),
        ("absurd ids", raw("training/ep_start_end_ids.npy",
            b"\x93NUMPY\1\0" + struct.pack("<H", 62)
            + b"{'descr':'<i8','fortran_order':False,'shape':(10000000000,2)}\n"), "claims"),
        ("runs as annotations", raw(ANN, runs), "not read for safety"),
        ("runs as scenes", raw("training/scene_info.npy", runs), "not read for safety"),
        ("runs as ids", raw("training/ep_start_end_ids.npy", runs), "Python objects"),
        ("fewer windows", said(lambda table: table["info"]["indx"].pop()), "auto_lang_ann"),
        ("fewer tasks", said(lambda table: table["language"]["task"].pop()), "auto_lang_ann"),
        ("no texts", said(lambda table: table["language"].pop("ann")[:0] or None), "auto_lang_ann"),
        ("a list", said(lambda table: [1, 2]), "auto_lang_ann"),
        ("window far away", said(lambda t: t["info"]["indx"].__setitem__(0, (70, 80))), "0000070"),
        ("window of 2^62", said(lambda t: t["info"]["indx"].__setitem__(0, (0, 2**62))), "."),
        ("window of texts", said(lambda t: t["info"]["indx"].__setitem__(0, ("a", "b"))), "."),
        ("no text but zero", said(lambda t: t["language"]["ann"].__setitem__(0, "a\0")), "."),
        ("half a letter", said(lambda t: t["language"]["ann"].__setitem__(0, "\ud800")), "."),
        ("a number as text", said(lambda t: t["language"]["ann"].__setitem__(0, 5)), "."),
        ("scenes of texts", lambda root: np.save(
            root / "training/scene_info.npy", np.array({"a": "b"}, object)), "'a' is 'b'"),
        ("a frame is missing", lambda root: (root / "training/episode_0000003.npz").unlink(),
         "frame 3: cannot be opened"),
        ("ids are missing", lambda root: (root / "training/ep_start_end_ids.npy").unlink(),
         "ep_start_end_ids.npy"),
    ],
    "lerobot v2.1": [
        *((f"data in {p!r}", info(data_path=p), ".") for p in PATHS),
        *((f"videos in {p!r}", info(video_path=p), ".") for p in PATHS),
        ("template that asks", info(data_path="{episode_index.__class__.__mro__}"), "."),
        ("template that fills memory", info(data_path="{episode_index:9999999999d}"), "."),
        ("template of nothing", info(video_path="{oops}"), "."),
        ("no rate", info(fps=0), "fps"),
        ("rate of nan", info(fps=NAN), "fps"),
        ("rate of text", info(fps="ten"), "fps"),
        ("huge rate", info(fps=1e300), "fps"),
        ("no chunks", info(chunks_size=0), "chunk"),
        ("another version", info(codebase_version="v9"), "v9"),
        ("features of a list", info(features=[]), "features|info.json"),
        ("deep", raw("meta/info.json", DEEP), "too deeply"),
        ("twice", raw("meta/info.json", '{"fps": 1, "fps": 2}'), "named twice"),
        ("absurd shape", with_json("meta/info.json", at("features", "action", shape=[HUGE])), "."),
        ("negative shape", with_json("meta/info.json", at("features", "action", shape=[-1])), "."),
        ("episode twice", raw(STEPS, '{"episode_index": 0, "tasks": [], "length": 9}\n' * 2), "."),
        ("longer", replaced(STEPS, '"length": 12', '"length": 13'), "episode_000001"),
        ("shorter", replaced(STEPS, '"length": 12', '"length": 11'), "episode_000001"),
        ("huge", replaced(STEPS, '"length": 12', f'"length": {HUGE}'), "episode_000001"),
        ("negative", replaced(STEPS, '"length": 12', '"length": -12'), "."),
        ("text for a length", replaced(STEPS, '"length": 12', '"length": "12"'), "."),
        ("deep line", raw(STEPS, DEEP), "too deeply"),
        ("task twice", raw("meta/tasks.jsonl", '{"task_index": 0, "task": "x"}\n' * 2), "."),
        ("link", link_out("data/chunk-000/episode_000001.parquet"), "outside"),
        ("video link", link_out(
            "videos/chunk-000/observation.images.front/episode_000001.mp4"), "outside"),
    ],
    "ego4d": [
        *((f"video {p!r}", with_json(TALK, lambda c, p=p: c | {p: c["one"]}), ".") for p in PATHS),
        ("nan time", with_json(TALK, at(*FIRST, timestamp_sec=NAN)), "."),
        ("negative time", with_json(TALK, at(*FIRST, timestamp_sec=-5)), "."),
        ("huge time", with_json(TALK, at(*FIRST, timestamp_sec=1e300)), "."),
        ("text for a time", with_json(TALK, at(*FIRST, timestamp_sec="soon")), "."),
        ("number as text", with_json(TALK, at(*FIRST, narration_text=7)), "."),
        ("zero in a text", with_json(TALK, at(*FIRST, narration_text="#C C a\0b")), "."),
        ("narrations of texts", with_json(TALK, at("one", narration_pass_1="x")), "."),
        ("a list", raw(TALK, "[]"), "narration.json"),
        ("deep", raw(TALK, DEEP), "too deeply"),
        ("twice", raw(TALK, '{"one": 1, "one": 2}'), "named twice"),
        ("manifest of a list", raw("ego4d.json", "[]"), "no list of videos"),
        ("wrong encoding", latin(TALK, "a lid"), "not text"),
        ("link", link_out("v2/full_scale/two.mp4"), "outside"),
    ],
    "epic": [
        *((f"video {p!r}", replaced("EPIC_100_train.csv", "P01_01,00:00:00.14", f"{p},00:00:00.14"),
           ".") for p in PATHS),
        ("nan time", replaced("EPIC_100_train.csv", "00:00:00.14", "nan"), "."),
        ("no time", replaced("EPIC_100_train.csv", "00:00:00.14", ""), "."),
        ("backwards", replaced("EPIC_100_train.csv", "00:00:00.14", "00:00:09.14"), "."),
        ("text for a frame", replaced("EPIC_100_train.csv", ",186,", ",x,"), ""),
        ("a field more", replaced("EPIC_100_train.csv", "open,door", "open,door,x"), "fields"),
        ("a field less", replaced("EPIC_100_train.csv", ",open,door", ",open"), "fields"),
        ("open quote", replaced("EPIC_100_train.csv", "open door", '"open door'), "CSV|not end"),
        ("columns twice", raw("EPIC_100_train.csv", EPIC.replace("verb", "noun")), "twice|lacks"),
        ("only columns", raw("EPIC_100_validation.csv", EPIC), ""),
        ("link", link_out("P01/videos/P01_01.MP4"), "outside"),
    ],
    "something": [
        *((f"video {p!r}", with_json(LABELS, at(0, id=p)), ".") for p in PATHS),
        ("twice", with_json(LABELS, lambda rows: rows * 2), "labelled twice"),
        ("number as label", with_json(LABELS, at(0, label=7)), "has no (label|id)"),
        ("zero in a label", with_json(LABELS, at(0, label="a\0")), "."),
        ("a table", raw(LABELS, "{}"), "must be a list of labels"),
        ("rows of numbers", raw(LABELS, "[1, 2]"), "has no (label|id)"),
        ("deep", raw(LABELS, DEEP), "too deeply"),
        ("link", link_out("20bn-something-something-v2/45.webm"), "outside"),
    ],
    "saycam": [
        *((f"picture {p!r}", with_json("train.json", at("data", 0, frame_filenames=[p] * 2)), ".")
          for p in PATHS),
        ("nan time", with_json("train.json", at("data", 0, timestamps=[NAN, 1.0])), "."),
        ("text for times", with_json("train.json", at("data", 0, timestamps="ab")), "."),
        ("backwards", with_json("train.json", at("data", 0, timestamps=[2.0, 1.0])), "."),
        ("number as text", with_json("train.json", at("data", 0, utterance=3)), "."),
        ("unknown field", with_json("train.json", at("data", 0, utterance_num="x")), "."),
        ("rows of a table", raw("train.json", '{"data": {}}'), "train.json"),
        ("link", link_out("train_5fps/S_1_001_00.jpg"), "outside"),
    ],
    "saycam videos": [
        ("link", link_out("videos/S_1.mp4"), "outside"),
        ("link to a transcript", link_out("transcripts/S_1.csv"), "outside"),
    ],
    "videos": [
        *((f"narrated {p!r}", raw("narrations.json", json.dumps({p: "x"})), "leads out|no video")
          for p in PATHS),
        ("link", link_out("deep/b.mp4"), "outside"),
        ("end before start", raw("deep/b.csv", "start,end,text\n2,1,x\n"), "0 <= start <= end"),
        ("nan time", raw("deep/b.csv", "start,end,text\nnan,1,x\n"), "0 <= start <= end"),
        ("infinite time", raw("deep/b.csv", "start,end,text\n0,inf,x\n"), "0 <= start <= end"),
        ("zeros", raw("deep/b.csv", "start,end,text\n0,1,a\0\n"), "zero byte"),
        ("named twice", raw("narrations.json", '{"a.mp4": "x", "a.mp4": "y"}'), "named twice"),
        ("deep", raw("narrations.json", DEEP), "too deeply"),
        ("a playlist", raw("deep/b.mp4", "#EXTM3U\n#EXTINF:1,\n../a.mp4\n"), "deep/b.mp4: "),
        ("a list of files", raw("deep/b.mp4", "ffconcat version 1.0\nfile ../a.mp4\n"), "deep/b"),
        ("a picture", raw("deep/b.mp4", b"\x89PNG\r\n\x1a\n" + bytes(64)), "deep/b.mp4: "),
        ("subtitles", raw("deep/b.mp4", "1\n00:00:01,000 --> 00:00:02,000\nhi\n"), "deep/b.mp4: "),
    ],
    "pictures": [
        ("absurd PNG", raw("b/frame_2.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(
            ">IIBBBBBI", 60000, 60000, 8, 2, 0, 0, 0, 0)), "b/frame_2.png: is no"),
        ("gap", lambda root: (root / "b/frame_2.jpg").unlink(), "b: "),
        ("link", link_out("b/frame_2.jpg"), "outside"),
    ],
}  # fmt: skip
ALL = [(form, *case) for form, cases in CASES.items() for case in cases]


@pytest.mark.parametrize(
    ("form", "edit", "reason"),
    [(form, edit, reason) for form, _, edit, reason in ALL],
    ids=[f"{form}-{name!a}" for form, name, _, _ in ALL],
)
def test_what_cannot_be_is_told(tmp_path, form, edit, reason):
    root = tmp_path / "root"
    FORMATS[form].make(root)
    edit(root)
    found = outcome(FORMATS[form].source(root), root)
    assert re.search(reason, found.said), found
