import json
import pickle

import numpy as np
import pytest
from PIL import Image

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Source, read
from firsthand.episodes.formats.saycam.dataset import Saycam
from firsthand.episodes.formats.saycam.utterances import (
    Utterance,
    frame_name,
    read_utterances,
    write_utterances,
)
from firsthand.episodes.formats.saycam.videos import SaycamVideos, child_view, extract_frames
from firsthand.episodes.tally import Tally
from firsthand.episodes.video.decode import OpenVideo
from tests.helpers.films import moving, write_film

HEADER = "Time,Speaker,Utterance,Video Name\n"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Two videos of 12 seconds with transcripts, one of which goes on behind the end."""
    root = tmp_path_factory.mktemp("saycam")
    (root / "transcripts").mkdir()
    (root / "videos").mkdir()
    write_film(root / "videos" / "S_1.mp4", 360, g="250", sc_threshold="0")
    write_film(root / "videos" / "S_2.mov", 360, g="60")
    (root / "transcripts" / "S_1.csv").write_text(
        HEADER + "0:01,M,Look! It's a ball.,S_1.MOV\n0:05,Dad,hm,\n0:06,mom,a ball,\n0:10,M,bye,\n"
    )
    (root / "transcripts" / "S_2.csv").write_text(
        HEADER + "0:02,M,a big ball,S_2.MOV\n0:04,M,ball ball,\n0:30,M,gone,\n"
    )
    (root / "transcripts" / "S_3.csv").write_text(HEADER + "0:02,M,hi,S_3.MOV\n0:04,M,you,\n")
    return root


def test_recorded_videos_become_utterances(recorded):
    source = SaycamVideos(root=recorded, size=48, turned=False)
    assert isinstance(source, Source)
    assert pickle.loads(pickle.dumps(source)) == source
    listing = source.listing()
    assert [item.name for item in listing.items] == ["S_1", "S_2"]
    assert json.loads(json.dumps(listing.items[0].detail)) == listing.items[0].detail
    ((name, reason),) = listing.lost
    assert (name, reason[:27]) == ("S_3.csv", "its video is not in videos/")
    (behind,) = listing.tally.parts[0].lost
    assert behind == ("S_2: utterance 3", "at 30 s lies behind the video's end at 12.0 s", 1)
    assert listing.tally.notes == {"lines of 'Dad' are left out, who is not in speakers": 1}
    episodes = list(read(source))
    assert [(e.instruction, len(e), e.source["start_seconds"]) for e in episodes] == [
        ("look !", 10, 1.0),
        ("it 's a ball .", 10, 3.0),
        ("a ball", 20, 6.0),
        ("bye", 1, 10.0),
        ("a big ball", 10, 2.0),
        ("ball ball", 32, 4.0),
    ]
    assert {e.fps for e in episodes} == {5.0}
    with OpenVideo(recorded / "videos" / "S_1.mp4") as video:
        views = [child_view(shown, 48, False) for shown in video.frames()]
    expected = np.stack(views[180:300:6])  # 20 from second 6 on, at 30 frames a second
    frames = episodes[2].frames["rgb_static"]
    assert np.abs(frames.astype(int) - expected).mean() < 2


def test_the_view_is_the_official_one(tmp_path):
    """640x480 becomes 341x256, of which columns 58 to 282 and rows 0 to 224 are kept, turned."""
    film = write_film(tmp_path / "a.mp4", 2)
    with OpenVideo(film) as video:
        shown = next(video.frames())
    pixels = shown.frame.to_ndarray(format="rgb24")  # 64x48
    scaled = np.asarray(Image.fromarray(pixels).resize((341, 256), Image.Resampling.BICUBIC))
    expected = scaled[0:224, 58:282]
    np.testing.assert_array_equal(child_view(shown, 224, False), expected)
    np.testing.assert_array_equal(child_view(shown, 224, True), expected[::-1, ::-1])
    assert child_view(shown, 56, True).shape == (56, 56, 3)


def test_extracted_frames_are_read_back_byte_by_byte(recorded, tmp_path):
    source = SaycamVideos(root=recorded, size=48)
    counts = extract_frames(source, tmp_path, seed=1)
    assert sum(counts.values()) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "test.json",
        "train.json",
        "train_5fps",
        "train_shuffled.json",
        "val.json",
        "vocab.json",
    ]
    rows = [r for n in counts for r in read_utterances(tmp_path / f"{n}.json")]
    assert {name for row in rows for name in row.frame_filenames} == {
        path.name for path in (tmp_path / "train_5fps").iterdir()
    }
    again = {e.instruction: e for e in read(Saycam(root=tmp_path, size=48))}
    for episode in read(source):
        same = again[episode.instruction]
        assert same.fps == episode.fps or len(episode) == 1
        np.testing.assert_array_equal(same.frames["rgb_static"], episode.frames["rgb_static"])


@pytest.fixture
def corpus(tmp_path):
    """Three videos with four utterances each, two pictures an utterance."""
    (tmp_path / "train_5fps").mkdir()
    rows = []
    for number in range(12):
        video, index = f"S_{number % 3}", number // 3 + 1
        names = tuple(frame_name(video, index, frame) for frame in range(2))
        for frame, name in enumerate(names):
            picture = Image.fromarray(moving(2 * number + frame, 224, 224))
            picture.save(tmp_path / "train_5fps" / name, quality=90, subsampling=0)
        times = (float(index), index + 0.2)
        rows.append(
            Utterance(f"ball {number}", f"{video}.csv", f"{video}.mp4", index, 2, times, names)
        )
    for split, part in {"train": rows[:9], "val": rows[9:11], "test": rows[11:]}.items():
        write_utterances(tmp_path / f"{split}.json", part)
    return tmp_path


def test_a_corpus_of_utterances(corpus):
    source = Saycam(root=corpus)
    listing = source.listing()
    assert [(i.name, i.group, i.split) for i in listing.items] == [
        (f"S_{k}.mp4", f"S_{k}.mp4", "") for k in range(3)
    ]
    first = next(iter(source.read(listing.items[0], Tally())))
    assert first.instruction == "ball 0"
    assert first.fps == 5.0
    paths = [corpus / "train_5fps" / f"S_0_001_0{k}.jpg" for k in range(2)]
    assert list(first.frames["rgb_static"].data) == [path.read_bytes() for path in paths]
    assert [e.instruction for e in source.read(listing.items[0], Tally())] == [
        "ball 0",
        "ball 3",
        "ball 6",
        "ball 9",
    ]
    official = Saycam(root=corpus, splits="official").listing().items
    assert [(i.name, i.split) for i in official] == [
        ("S_0.mp4 (train)", "train"),
        ("S_0.mp4 (valid)", "valid"),
        ("S_1.mp4 (train)", "train"),
        ("S_1.mp4 (valid)", "valid"),
        ("S_2.mp4 (test)", "test"),
        ("S_2.mp4 (train)", "train"),
    ]


def test_a_corpus_of_egobabyvlm(tmp_path):
    """A flat list, a picture a second, a folder of pictures for every video."""
    (tmp_path / "frames" / "vid_a").mkdir(parents=True)
    for index in (3, 4):
        picture = Image.fromarray(moving(index))
        picture.save(tmp_path / "frames" / "vid_a" / f"vid_a_{index}.jpg")
    names = ("vid_a/vid_a_3.jpg", "vid_a/vid_a_4.jpg")
    row = Utterance("the cat sat", "vid_a.json", "vid_a.mp4", 1, 2, (2.5, 3.5), names)
    write_utterances(tmp_path / "train.json", [row], flat=True)
    (episode,) = read(Saycam(root=tmp_path, frames="frames", size=32))
    assert (episode.fps, episode.instruction) == (1.0, "the cat sat")
    assert episode.frames["rgb_static"].shape == (2, 32, 32, 3)


def change(root, **values):
    content = json.loads((root / "train.json").read_text())
    content["data"][0] |= values
    (root / "train.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"frame_filenames": ["../../secret.jpg"]}, "does not name a file inside"),
        ({"timestamps": [1.0, 1.0]}, "its frames are not evenly spaced"),
        ({"timestamps": [1.0, float("nan")]}, "timestamps must be a list of seconds"),
        ({"utterance": None}, "utterance must be a text, not None"),
        ({"utterance": "half \ud83d"}, "utterance holds a character that is not text"),
        ({"num_frames": 7}, "the numbers disagree"),
    ],
)
def test_a_bad_utterance_costs_itself(corpus, changes, reason):
    change(corpus, **changes)
    listing = Saycam(root=corpus).listing()
    assert [item.name for item in listing.items] == ["S_0.mp4", "S_1.mp4", "S_2.mp4"]
    ((where, why, count),) = listing.tally.parts[0].lost
    assert where in ("S_0.mp4: utterance 1", "train.json: utterance 0")
    assert reason in why
    tally = Tally()
    said = [e.instruction for item in listing.items for e in Saycam(root=corpus).read(item, tally)]
    assert len(said) == 11
    assert "ball 0" not in said
    assert tally.used["utterance"] + count == 12


def test_a_bad_picture_costs_itself(corpus):
    bad = corpus / "train_5fps" / "S_0_002_01.jpg"
    before = Saycam(root=corpus).listing().items
    bad.unlink()
    (corpus / "train_5fps" / "S_0_003_00.jpg").write_bytes(b"")
    for frame in range(2):
        (corpus / "train_5fps" / f"S_0_004_0{frame}.jpg").write_bytes(b"GIF")
    item, *others = Saycam(root=corpus).listing().items
    assert item.version != before[0].version  # what was mended is read again
    assert others == list(before[1:])
    tally = Tally()
    episodes = list(Saycam(root=corpus).read(item, tally))
    assert [(e.instruction, len(e)) for e in episodes] == [
        ("ball 0", 2),
        ("ball 3", 2),
        ("ball 6", 2),
    ]
    first, second = episodes[1].frames["rgb_static"].data
    assert first == second
    pictures, utterances = tally.parts
    assert (pictures.used, pictures.lost_count) == (4, 4)
    assert pictures.lost[0] == (
        "train_5fps/S_0_002_01.jpg",
        "cannot be opened: No such file or directory",
        1,
    )
    assert (utterances.used, utterances.lost_count) == (3, 1)
    assert utterances.lost[0][0] == "S_0.mp4: utterance 4"
    for path in (corpus / "train_5fps").iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r"that can be read: .*S_0_001_00.jpg cannot be opened"):
        list(Saycam(root=corpus).read(item, Tally()))


def test_a_corpus_without_a_good_utterance_says_what_is_wrong(corpus):
    for path in corpus.glob("*.json"):
        path.write_text(json.dumps([{"utterance": "no more than a text"}]))
    with pytest.raises(UserError, match=r"holds no utterances .*: train.json: utterance 0: "):
        Saycam(root=corpus).listing()


@pytest.fixture
def told(recorded, tmp_path):
    """A transcript and a video that is found whatever its ending."""

    def make(lines, video="S_1.mp4", **settings):
        for name in ("transcripts", "videos"):
            (tmp_path / name).mkdir()
        (tmp_path / "transcripts" / "S_1.csv").write_text(HEADER + lines)
        (tmp_path / "transcripts" / "._S_1.csv").write_bytes(b"\0")
        (tmp_path / "videos" / video).symlink_to(recorded / "videos" / "S_1.mp4")
        return SaycamVideos(root=tmp_path, links=True, **settings)

    return make


LINES = "0:02,Dad,look,S_1\n0:04,CHI,ball,\n0:06,Dad,bye,\n"


def test_speakers_that_are_not_listed_are_told(told):
    listing = told(LINES).listing()
    reason = dict(listing.lost)["S_1.csv"]
    assert reason.startswith("none of those who speak is in speakers=['M', 'Mom'")
    assert reason.endswith("but 'Dad', 'CHI'")


def test_speakers_can_be_given(told):
    source = told(LINES, speakers=("Dad",))
    assert [e.instruction for e in read(source)] == ["look", "bye"]
    listing = source.listing()
    assert not listing.lost  # nor is ._S_1.csv, which macOS leaves
    assert listing.tally.notes == {"lines of 'CHI' are left out, who is not in speakers": 1}


@pytest.mark.parametrize("video", ["S_1.MKV", "S_1.webm", "S_1.m4v", "S_1.MTS", "S_1.Mp4"])
def test_videos_are_found_by_any_ending(told, video):
    (item,) = told("0:02,M,look,S_1\n0:04,M,ball,\n", video).listing().items
    assert item.detail["path"] == f"videos/{video}"


def test_what_cannot_be_used_is_named(corpus):
    with pytest.raises(UserError, match=r"nowhere: is no folder of pictures"):
        Saycam(root=corpus, frames="nowhere").listing()
    with pytest.raises(UserError, match="holds no utterances"):
        Saycam(root=corpus / "train_5fps").listing()
    with pytest.raises(UserError, match=r"transcripts: holds no transcript VIDEO\.csv"):
        SaycamVideos(root=corpus).listing()
    with pytest.raises(UserError, match="size of pictures must be 1"):
        SaycamVideos(root=corpus, size=0)
