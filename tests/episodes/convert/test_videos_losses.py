"""Of 200 items with one damaged in each way, just the damaged parts are lost, and counted: what is
filmed, and what is said in it."""

import csv
import io
import json
import os
import shutil
from typing import Any

import av
import pytest

from firsthand.episodes.formats.ego4d import Ego4D
from firsthand.episodes.formats.epic_kitchens import EpicKitchens
from firsthand.episodes.formats.image_folder import PictureFolders
from firsthand.episodes.formats.saycam.dataset import Saycam
from firsthand.episodes.formats.saycam.videos import SaycamVideos
from firsthand.episodes.formats.something_something import SomethingSomething
from firsthand.episodes.formats.video_folder import VideoFolder
from tests.episodes.formats.test_robots_losses import FRAMES, ITEMS, losses, png
from tests.helpers.films import write_film

SECONDS, RATE = 4, 5.0  # of the film that all videos are copies of
SHOWN = 20  # its frames, each a keyframe of its own
MAC = b"\0\5\26\7\0\2\0\0Mac OS X        "
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """One that can be watched from its beginning: its index is in front."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    options = {"muxer": {"movflags": "faststart"}, "g": "1", "bf": "0"}
    return write_film(path, SHOWN, rate=5, **options)


def packets(path):
    """Where each frame's packet begins and how long it is."""
    with av.open(str(path)) as container:
        found = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    assert len(found) == SHOWN
    return found


def cut(path, frames):
    """So many frames remain of a film that announces more."""
    place, _ = packets(path)[frames]
    os.truncate(path, place)


def spoil(path, frame):
    """One frame's packet is no picture any more."""
    place, size = packets(path)[frame]
    data = bytearray(path.read_bytes())
    data[place : place + size] = bytes([255]) * size
    path.write_bytes(data)


def videos(folder, film, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(film, folder / name)


def test_videos(tmp_path, film):
    root = tmp_path / "root"
    videos(root, film, [f"v{k:03}.mp4" for k in range(ITEMS)])
    (root / "._v001.mp4").write_bytes(MAC)
    (root / "v003.mp4").write_bytes(b"")
    (root / "v005.mp4").write_text("<!DOCTYPE html><html><title>403 Forbidden</title></html>")
    cut(root / "v007.mp4", 12)
    spoil(root / "v009.mp4", 8)
    table = (
        'start,end,text\n0,1,stir\nnan,1,x\n1,2,caf\xe9\n2,1,x\n1,2\n1,2,"x\n2,3,pour\n3,4,z\0\n'
    )
    (root / "v011.csv").write_bytes(table.encode("latin-1"))
    entries = (
        '{"start": 1, "end": 2, "text": "x", "text": "y"}, {"start": 90, "end": 91, "text": "x"}'
    )
    (root / "v013.json").write_text(
        f'[{{"start": 0, "end": 1, "text": "stir"}}, {entries}, {{"start": 0, "end": 2}}, 7]'
    )
    (root / "v015.json").write_bytes(b'"cut')
    (root / "v017.srt").write_bytes(
        b"1\n00:00:00,000 --> 00:00:01,000\nst\xe9r\n\n2\n00:00:01,000 --> 00:00:02,000\npour\n"
    )
    (root / "narrations.json").write_bytes(
        b'{"v019.mp4": "x", "v019.mp4": "y", "v021.mp4": "caf\xe9", "v023.mp4": 7, '
        b'"v025.mp4": "pour", "gone.mp4": "x"}'
    )
    lost, counts, where = losses(VideoFolder(root=root, size=16, fps=RATE), tmp_path / "out")
    assert list(lost) == ["v003.mp4", "v005.mp4"]
    assert counts == {"frame": ((ITEMS - 2) * SHOWN - 9, 9), "sentence": (5, 15)}
    assert sorted(where) == sorted([
        "v007.mp4", "v009.mp4 at 1.60 seconds",
        *(f"v011.csv: line {n}" for n in (3, 4, 5, 6, 7, 9)),
        "v013.json: entry 1", "v013.json: entry 3", "v013.json: entry 4", "v015.json",
        "v017.srt: line 2",
        "narrations.json: 'v019.mp4'", "narrations.json: 'v021.mp4'", "narrations.json: 'v023.mp4'",
        "v013.mp4 at 90.00 to 91.00 seconds",
    ])  # fmt: skip


def test_pictures(tmp_path):
    root = tmp_path / "root"
    for item in range(ITEMS):
        folder = root / f"v{item:03}"
        folder.mkdir(parents=True)
        for number in range(FRAMES):
            (folder / f"frame_{number}.png").write_bytes(png(number, 16))
    (root / "v001/._frame_0.png").write_bytes(MAC)
    (root / "v003/frame_1.png").write_bytes(b"")
    (root / "v005/frame_2.png").write_bytes(png(2, 16)[:40])
    (root / "v007/frame_0.png").write_bytes(b"GIF89a")
    for number in range(FRAMES):
        (root / f"v009/frame_{number}.png").write_bytes(b"no picture")
    (root / "v011/frame_1.png").unlink()
    (root / "v013/frame_1.png").unlink()
    (root / "v013/frame_1.png").symlink_to(tmp_path / "far.png")
    (root / "narrations.json").write_bytes(
        b'{"v015": "st\xe9r", "v017": "x", "v017": "y", "v019": "stir", '
        b'"v021": [{"start": 0, "end": 0.2, "text": "stir"}, '
        b'{"start": NaN, "end": 1, "text": "x"}, '
        b'{"start": 70, "end": 71, "text": "x"}]}'
    )
    lost, counts, where = losses(PictureFolders(root=root, size=16), tmp_path / "out")
    assert list(lost) == ["v009"]
    assert counts == {"picture": ((ITEMS - 1) * FRAMES - 1 - 4, 4), "sentence": (2, 4)}
    assert sorted(where) == sorted([
        "v003/frame_1.png", "v005/frame_2.png", "v007/frame_0.png", "v013/frame_1.png",
        "narrations.json: 'v015'", "narrations.json: 'v017'",
        "narrations.json: 'v021', entry 1", "v021 at 70.00 to 71.00 seconds",
    ])  # fmt: skip


def test_something_something(tmp_path, film):
    """What is in a file is known by its content, whatever its ending. The table of the validation,
    which is damaged, is an item."""
    root, numbers = tmp_path / "root", range(1, ITEMS)
    videos(root / "videos", film, [f"{n}.webm" for n in numbers])
    rows: list[Any] = [{"id": str(n), "label": "stir", "template": "stir"} for n in numbers]
    (root / "videos/._1.webm").write_bytes(MAC)
    (root / "videos/3.webm").write_bytes(b"")
    cut(root / "videos/5.webm", 15)
    spoil(root / "videos/7.webm", 4)
    rows[8]["label"] = 7
    del rows[10]["label"]
    rows[12]["label"] = "st\xe9r"
    rows[14]["label"] = "twice"
    rows[16] = "no row"
    rows[18]["id"] = "18"
    rows.append({"id": "900", "label": "never downloaded"})
    said = json.dumps(rows, ensure_ascii=False).replace('"twice"', '"x", "label": "y"')
    (root / "train.json").write_bytes(said.encode("latin-1"))
    (root / "validation.json").write_text('[{"id": "1", "label": "cut sho')
    source = SomethingSomething(root=root, size=16, fps=RATE)
    lost, counts, where = losses(source, tmp_path / "out")
    assert set(lost) == {
        "labels of valid", "3", "9 (row 8 of train)", "11 (row 10 of train)",
        "13 (row 12 of train)", "15 (row 14 of train)", "row 16 of train", "18 (row 18 of train)",
    }  # fmt: skip
    used = ITEMS - len(lost)
    assert counts == {"frame": (used * SHOWN - 6, 6), "sentence": (used, 0)}
    assert where == ["5", "7 at 0.80 seconds"]


def narrated(*said):
    entries = [{"timestamp_sec": time, "narration_text": text} for time, text in said]
    return {"narration_pass_1": {"narrations": entries}}


def test_ego4d(tmp_path, film):
    root = tmp_path / "root"
    names = [f"u{k:03}" for k in range(ITEMS)]
    videos(root / "full_scale", film, [f"{name}.mp4" for name in names])
    said: dict[str, Any] = {
        name: narrated((1.5, "#C C stirs"), (2.5, "#C C pours")) for name in names
    }
    first = {
        "u001": (1.5, None), "u003": (float("nan"), "#C C stirs"), "u005": (None, "#C C stirs"),
        "u007": (60.0, "#C C stirs"), "u009": (-9.0, "#C C stirs"),
        "u011": (1.5, "#C C st\xe9rs"), "u013": (1.5, "twice"), "u015": (1.5, ""),
        "u017": (1.5, "zero"),
    }  # fmt: skip
    said |= {name: narrated(entry, (2.5, "#C C pours")) for name, entry in first.items()}
    said["u019"]["narration_pass_2"] = "lost on the way"
    said["u021"] = ["no table"]
    (root / "full_scale/._u023.mp4").write_bytes(MAC)
    (root / "full_scale/u025.mp4").write_bytes(b"")
    cut(root / "full_scale/u027.mp4", 9)
    spoil(root / "full_scale/u029.mp4", 8)
    said["u0_31"] = said["u031"]
    said["absent"] = narrated((1.0, "#C C stirs"))
    text = json.dumps(said, ensure_ascii=False).replace('"twice"', '"x", "narration_text": "y"')
    text = text.replace('"zero"', '"#C C st\0irs"').replace("u0_31", "u031")
    (root / "narration.json").write_bytes(text.encode("latin-1"))
    lost, counts, where = losses(Ego4D(root=root, size=16, seconds=1.0), tmp_path / "out")
    assert set(lost) == {"u021", "u025", "u031"}
    clips = (ITEMS - len(lost)) * 2 - 1  # u015 says nothing, which the filter leaves out
    # The second pass of u019 is one more. Frames are decoded from the first that is shown on.
    assert counts == {"clip": (clips - 9, 10), "frame": (5 + 12, 11 + 1)}
    assert sorted(w.partition(":")[0] for w in where) == [
        "u001", "u003", "u005", "u007", "u009", "u011", "u013", "u017", "u019", "u027",
        "u027.mp4", "u029.mp4 at 1.60 seconds",
    ]  # fmt: skip


def test_epic_kitchens(tmp_path, film):
    """The table of the validation, which is damaged, is an item."""
    root = tmp_path / "root"
    names = [f"P01_{k:03}" for k in range(ITEMS - 1)]
    videos(root / "P01/videos", film, [f"{name}.MP4" for name in names])
    columns = ("narration_id", "participant_id", "video_id", "start_timestamp", "stop_timestamp",
               "stop_frame", "narration", "verb")  # fmt: skip
    rows = {
        (name, k): [f"{name}_{k}", "P01", name, f"00:00:0{k}.50", f"00:00:0{k + 1}.50",
                    str(60 * k + 90), "stir pan", "stir"]
        for name in names
        for k in (0, 1)
    }  # fmt: skip
    start, stop, text = 3, 4, 6
    rows["P01_001", 0][start] = "nan"
    rows["P01_003", 0][start], rows["P01_003", 0][stop] = "00:00:03.00", "00:00:01.00"
    rows["P01_005", 0][start : stop + 1] = "00:01:40.00", "00:01:41.00"
    rows["P01_007", 0][text] = "caf\xe9"
    rows["P01_009", 0][text] = "a\0b"
    rows["P01_011", 0].pop()
    rows["P01_013", 0][text] = "stray"
    rows["P01_015", 0][start] = ""
    rows["P01_017", 0][0] = rows["P01_017", 1][0]  # a name that comes twice
    rows["P01_019", 0][1] = ""
    for k in (0, 1):
        rows["P01_021", k][1] = ""
    (root / "P01/videos/._P01_023.MP4").write_bytes(MAC)
    (root / "P01/videos/P01_025.MP4").write_bytes(b"")
    cut(root / "P01/videos/P01_027.MP4", 6)
    spoil(root / "P01/videos/P01_029.MP4", 5)
    (root / "P01/videos/P01_031.MP4").unlink()
    frames = root / "P01/rgb_frames/P01_031"
    frames.mkdir(parents=True)
    for number in range(60 * SECONDS):
        (frames / f"frame_{number + 1:010}.jpg").write_bytes(png(number))
    (frames / "frame_0000000031.jpg").write_bytes(b"")  # the first that is shown
    table = io.StringIO()
    csv.writer(table).writerows([columns, *rows.values()])
    said = table.getvalue().replace("stray", '"stray')
    (root / "EPIC_100_train.csv").write_bytes(said.encode("latin-1"))
    (root / "EPIC_100_validation.csv").write_text("narration_id\n")
    source = EpicKitchens(root=root, size=16, seconds=1.0)
    lost, counts, where = losses(source, tmp_path / "out")
    assert set(lost) == {"EPIC_100_validation.csv", "P01_021", "P01_025"}
    assert counts == {
        "clip": ((ITEMS - len(lost)) * 2 - 9, 9),
        "frame": (5 + 12, 14 + 1),  # those that are decoded
        "picture": (6, 1),
    }
    assert sorted(where) == sorted([
        "EPIC_100_train.csv: line 16", "EPIC_100_train.csv: line 20",
        "EPIC_100_train.csv: line 24", "EPIC_100_train.csv: line 28",
        "P01_001: P01_001_0", "P01_003: P01_003_0", "P01_015: P01_015_0", "P01_005: P01_005_0",
        "P01_027: P01_027_1",
        "P01_027.MP4", "P01_029.MP4 at 1.00 seconds",
        "P01/rgb_frames/P01_031/frame_0000000031.jpg",
    ])  # fmt: skip


def test_saycam(tmp_path):
    """The file of the validation, which is damaged, is an item."""
    root = tmp_path / "root"
    (root / "train_5fps").mkdir(parents=True)

    def row(video, number):
        frames = [f"{video}_{number:03}_{k:02}.jpg" for k in range(2)]
        for k, name in enumerate(frames):
            (root / "train_5fps" / name).write_bytes(png(k))
        return {"utterance": "a ball", "transcript_filename": f"{video}.csv",
                "video_filename": f"{video}.mp4", "utterance_num": number, "num_frames": 2,
                "timestamps": [float(number), number + 0.2], "frame_filenames": frames}  # fmt: skip

    names = [f"V{k:03}" for k in range(ITEMS - 1)]
    rows: dict[tuple[str, int], Any] = {
        (name, number): row(name, number) for name in names for number in (1, 2)
    }
    pictures = root / "train_5fps"
    (pictures / "._V001_001_00.jpg").write_bytes(MAC)
    (pictures / "V003_001_00.jpg").unlink()
    (pictures / "V005_001_01.jpg").write_bytes(b"")
    (pictures / "V007_001_01.jpg").write_bytes(png(1)[:30])
    for k in range(2):
        (pictures / f"V009_001_{k:02}.jpg").unlink()
    rows["V011", 1]["utterance"] = None
    rows["V013", 1]["utterance"] = "caf\xe9"
    rows["V015", 1]["utterance"] = "twice"
    rows["V017", 1]["timestamps"] = [float("nan"), 1.0]
    rows["V019", 1]["timestamps"] = [2.0, 1.0]
    del rows["V021", 1]["num_frames"]
    rows["V023", 1] = 7
    rows["V025", 1]["frame_filenames"] = ["../x.jpg", "x.jpg"]
    rows["V027", 1] |= {"frame_filenames": [], "timestamps": [], "num_frames": 0}
    rows["V029", 1]["utterance_num"] = 2
    rows["V031", 1]["utterance"] = "zero"
    for number in (1, 2):
        for k in range(2):
            (pictures / f"V033_{number:03}_{k:02}.jpg").write_bytes(b"")
    said = json.dumps({"data": list(rows.values())}, ensure_ascii=False)
    said = said.replace('"twice"', '"x", "utterance": "y"').replace('"zero"', '"a\0b"')
    (root / "train.json").write_bytes(said.encode("latin-1"))
    (root / "val.json").write_text("[{")
    lost, counts, where = losses(Saycam(root=root, size=16), tmp_path / "out")
    assert set(lost) == {"val.json", "V033.mp4"}
    told = (ITEMS - len(lost)) * 2 - 1  # V027 has one without a picture, which is noted
    # V009's has two pictures, which are lost too; of V033, which is lost, nothing is counted
    assert counts == {"picture": ((told - 9) * 2 - 5, 5), "utterance": (told - 10, 10)}
    names = ["V003_001_00", "V005_001_01", "V007_001_01", "V009_001_00", "V009_001_01"]
    assert sorted(where) == sorted(
        [f"train_5fps/{name}.jpg" for name in names]
        + [f"V{k:03}.mp4: utterance 1" for k in (9, 19, 25)]
        + [f"train.json: utterance {2 * k}" for k in (11, 13, 15, 17, 21, 23, 31)]
    )


def test_saycam_videos(tmp_path, film):
    root = tmp_path / "root"
    (root / "transcripts").mkdir(parents=True)
    names = [f"V{k:03}" for k in range(ITEMS)]
    videos(root / "videos", film, [f"{name}.mp4" for name in names])
    header = "Time,Speaker,Utterance,Video Name\n"
    usual = "0:00,M,a ball,{v}.mp4\n0:01,M,a cat,{v}.mp4\n0:02,M,bye,{v}.mp4\n"
    for name in names:
        text = header + usual.format(v=name)
        (root / f"transcripts/{name}.csv").write_text(text)

    def change(name, old, new):
        path = root / f"transcripts/{name}.csv"
        text = path.read_text()
        assert old in text
        path.write_bytes(text.replace(old, new).encode("latin-1"))

    change("V001", "a cat", "un caf\xe9")
    change("V003", "a cat", "a\0cat")
    change("V005", "0:01,M,a cat", "soon,M,a cat")
    change("V007", "0:01,M,a cat", "0:03,M,a cat")
    change("V009", ",a cat,V009.mp4", ",a cat")
    change("V011", "a cat,V011.mp4", "a cat,V012.mp4")
    change("V013", "a cat", '"a cat')
    change("V015", "0:02", "0:50")
    change("V017", "0:01,M,a cat", "0:01,CHI,a cat")
    change("V019", "a cat", "")
    (root / "transcripts/V021.csv").write_text(header)
    (root / "transcripts/V023.csv").write_bytes(b"")
    (root / "transcripts/._V025.csv").write_bytes(MAC)
    (root / "videos/._V025.mp4").write_bytes(MAC)
    (root / "videos/V027.mp4").unlink()
    (root / "videos/V029.mp4").write_bytes(b"")
    cut(root / "videos/V031.mp4", 7)
    spoil(root / "videos/V033.mp4", 7)
    lost, counts, where = losses(SaycamVideos(root=root, size=16), tmp_path / "out")
    assert set(lost) == {"V021.csv", "V023.csv", "V027.csv", "V029"}
    # what a child says and what is empty is left out, and noted
    assert counts == {
        "frame": (7 + 11, 13 + 1),  # those that are decoded
        "utterance": ((ITEMS - len(lost)) * 3 - 9 - 2, 9),
    }
    assert sorted(where) == sorted([
        "V031.mp4", "V033.mp4 at 1.40 seconds",
        "V001.csv: line 3", "V003.csv: line 3", "V005.csv: line 3", "V007.csv: line 3",
        "V009.csv: line 3", "V011.csv: line 3", "V013.csv: line 3", "V015: utterance 3",
        "V031: 3",
    ])  # fmt: skip
