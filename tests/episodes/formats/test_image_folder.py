import json
import shutil

import numpy as np
import pytest
from PIL import Image

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import read
from firsthand.episodes.formats.image_folder import PictureFolders, find_images, read_jpeg
from firsthand.episodes.jpeg import decode_jpeg
from firsthand.episodes.tally import Tally
from firsthand.episodes.video.frames import VideoSettings
from tests.helpers.films import moving


def write_pictures(folder, count, pattern="frame_{}.jpg", first=1, size=(48, 64)):
    folder.mkdir(parents=True)
    for index in range(count):
        picture = Image.fromarray(moving(index, *size))
        picture.save(folder / pattern.format(first + index), quality=95, subsampling=0)


def test_folders_are_videos(tmp_path):
    write_pictures(tmp_path / "a", 25)
    write_pictures(tmp_path / "deep" / "b", 8, "{:05d}.png", first=0)
    (tmp_path / "deep" / "empty").mkdir()
    (tmp_path / "narrations.json").write_text(
        json.dumps({"a": [{"start": 0.5, "end": 1.5, "text": "stir"}], "c": "gone"})
    )
    source = PictureFolders(root=tmp_path, size=48, seconds=1.0)
    listing = source.listing()
    assert [(item.name, item.group) for item in listing.items] == [("a", "a"), ("deep/b", "deep/b")]
    assert listing.notes == ("narrations name c, which is no folder here",)
    episodes = list(read(source))
    assert [len(e) for e in episodes] == [10, 10, 5, 8]
    assert [[n.text for n in e.narrations] for e in episodes] == [["stir"], ["stir"], [], []]
    assert [e.source["start_seconds"] for e in episodes] == [0, 1, 2, 0]
    frames = np.concatenate([e.frames["rgb_static"] for e in episodes[:3]])
    expected = np.stack([moving(k)[:, 8:56] for k in range(25)])  # frame_10 comes after frame_9
    assert np.abs(frames.astype(int) - expected).mean() < 2


@pytest.mark.parametrize(("rate", "fps"), [(30.0, 10.0), (5.0, 10.0), (29.97, 12.5)])
def test_other_rates(tmp_path, rate, fps):
    write_pictures(tmp_path / "a", 40)
    (episode,) = read(PictureFolders(root=tmp_path, size=48, rate=rate, fps=fps))
    nearest = [min(39, round(k * rate / fps)) for k in range(len(episode))]
    assert len(episode) == round(40 / rate * fps)
    expected = np.stack([moving(k)[:, 8:56] for k in nearest])
    assert np.abs(episode.frames["rgb_static"].astype(int) - expected).mean() < 2


def test_pictures_that_fit_keep_their_bytes(tmp_path):
    write_pictures(tmp_path / "a", 1, size=(48, 48))
    (name,) = find_images(tmp_path / "a")
    path = tmp_path / "a" / name
    assert read_jpeg(path, VideoSettings(size=48)) == path.read_bytes()
    assert read_jpeg(path, VideoSettings(size=47)) != path.read_bytes()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_pictures_of_any_kind_become_rgb(tmp_path, mode):
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.fromarray(moving(0, 32, 32)).convert(mode).save(path)
    assert decode_jpeg(read_jpeg(path, VideoSettings(size=32))).shape == (32, 32, 3)


def test_a_camera_held_on_its_side(tmp_path):
    picture = Image.fromarray(moving(3, 48, 48))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to look at it
    picture.save(tmp_path / "a.jpg", quality=95, exif=exif)
    turned = decode_jpeg(read_jpeg(tmp_path / "a.jpg", VideoSettings(size=48)))
    assert np.abs(turned.astype(int) - np.rot90(moving(3, 48, 48), -1)).mean() < 3


def test_missing_pictures_are_noticed(tmp_path):
    write_pictures(tmp_path / "a", 12)
    (tmp_path / "a" / "frame_7.jpg").unlink()
    notes = PictureFolders(root=tmp_path).listing().notes
    assert notes == ("a: pictures seem to be missing before frame_8.jpg",)


def test_a_changed_picture_changes_the_version(tmp_path):
    write_pictures(tmp_path / "a", 9)
    before = PictureFolders(root=tmp_path).listing().items[0].version
    assert PictureFolders(root=tmp_path).listing().items[0].version == before
    Image.fromarray(moving(77)).save(tmp_path / "a" / "frame_5.jpg")
    assert PictureFolders(root=tmp_path).listing().items[0].version != before


def test_a_bad_picture_costs_itself(tmp_path):
    write_pictures(tmp_path / "a", 25)
    good = list(read(PictureFolders(root=tmp_path, size=48)))[0].frames["rgb_static"]
    bad = {1: b"no picture", 7: b"", 8: (tmp_path / "a" / "frame_8.jpg").read_bytes()[:300]}
    for number, content in bad.items():
        (tmp_path / "a" / f"frame_{number}.jpg").write_bytes(content)
    (tmp_path / "a" / "frame_20.jpg").unlink()
    (tmp_path / "a" / "frame_20.jpg").symlink_to("nowhere.jpg")
    source, tally = PictureFolders(root=tmp_path, size=48), Tally()
    (episode,) = source.read(source.listing().items[0], tally)
    shown = [1, 1, 2, 3, 4, 5, 5, 5, *range(8, 19), 18, *range(20, 25)]  # the one before it instead
    assert (episode.decode().frames["rgb_static"] == good[shown]).all()
    (parts,) = tally.parts
    assert (parts.unit, parts.used, parts.total) == ("picture", 21, 25)
    assert [where for where, _, _ in parts.lost] == [f"a/frame_{n}.jpg" for n in (1, 7, 8, 20)]
    assert parts.lost[0][1] == "is no JPEG or PNG picture"  # never a place in memory
    for path in (tmp_path / "a").iterdir():
        path.unlink()
        path.touch()
    with pytest.raises(UserError, match=r"no picture that can be read: frame_1\.jpg is no JPEG"):
        list(source.read(source.listing().items[0], Tally()))


def linked(path, target):
    """The picture lies elsewhere, and a link to it where it was."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path.rename(target)
    path.symlink_to(target)


def test_links_to_pictures_are_followed_within_the_dataset(tmp_path):
    write_pictures(tmp_path / "root" / "a", 12)
    settings = {"root": tmp_path / "root", "size": 48}
    good = list(read(PictureFolders(**settings)))[0].frames["rgb_static"]
    linked(tmp_path / "root/a/frame_1.jpg", tmp_path / "root/store/x.bin")
    linked(tmp_path / "root/a/frame_5.jpg", tmp_path / "out/5.jpg")
    source, tally = PictureFolders(**settings), Tally()
    (item,) = source.listing().items
    (episode,) = source.read(item, tally)
    shown = [0, 1, 2, 3, 3, *range(5, 12)]  # the one before it instead
    assert (episode.decode().frames["rgb_static"] == good[shown]).all()
    (loss,) = tally.lost
    assert loss[:2] == ("picture", "a/frame_5.jpg")
    assert loss[2].startswith(f"is a link to {tmp_path}/out/5.jpg, outside")
    (episode,) = read(PictureFolders(links=True, **settings))
    assert (episode.frames["rgb_static"] == good).all()


def test_bad_pictures_are_named(tmp_path):
    write_pictures(tmp_path / "a", 1)
    path = tmp_path / "a" / "frame_2.jpg"
    Image.new("1", (20_000, 20_000)).save(path, "PNG")
    with pytest.raises(UserError, match=r"frame_2\.jpg: (has 20000x20000|is no readable)"):
        read_jpeg(path, VideoSettings())
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(path, "PNG")
    with pytest.raises(UserError, match=r"frame_2\.jpg: has 8x8 I;16 pixels"):
        read_jpeg(path, VideoSettings())
    shutil.rmtree(tmp_path / "a")
    listing = PictureFolders(root=tmp_path).listing()
    assert "holds no folder of pictures" in str(listing.tally.notes)
    with pytest.raises(UserError, match="rate of pictures must be in"):
        PictureFolders(root=tmp_path, rate=0.0)
