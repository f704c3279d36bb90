from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Narration
from firsthand.episodes.video.frames import VideoSettings, narrations_within, read_video

RED, GREEN, BLUE, WHITE = (220, 20, 20), (20, 200, 20), (20, 20, 220), (235, 235, 235)


def moving(index, height=48, width=64):
    """A smooth pattern that tells frames apart."""
    y, x = np.mgrid[:height, :width]
    wave = np.stack([x / 9 + index / 3, y / 8 - index / 5, (x + y) / 12 + index], -1)
    return (127 + 90 * np.sin(wave)).astype(np.uint8)


def gray(index, height=32, width=32):
    return np.full((height, width, 3), 20 + 5 * index, np.uint8)


def write_video(
    path, pictures, codec="libx264", rate=10, times=None, rotation=None, sample_aspect_ratio=None
):
    """Write pictures with PyAV; `times` are milliseconds for a variable frame rate."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if rotation is not None:
            stream.set_display_rotation(*rotation)
        if sample_aspect_ratio is not None:
            stream.codec_context.sample_aspect_ratio = sample_aspect_ratio
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read(path, **settings):
    episodes = [e.decode() for e in read_video(path, VideoSettings(**settings))]
    return np.concatenate([episode.frames["rgb_static"] for episode in episodes])


def decode_otherwise(path):
    """All frames and times in seconds, converted by libavfilter and without threads."""
    pictures, times = [], []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        graph = av.filter.Graph()
        source = graph.add_buffer(template=stream)
        formatter, sink = graph.add("format", "rgb24"), graph.add("buffersink")
        source.link_to(formatter)
        formatter.link_to(sink)
        graph.configure()
        for packet in container.demux(stream):
            for frame in packet.decode():
                times.append(float(frame.pts * frame.time_base))
                graph.push(frame)
                pictures.append(graph.pull().to_ndarray())
    return pictures, np.array(times) - times[0]


def expected_grid(pictures, times, end, fps, size):
    """The frame nearest to every grid point, by trying all; square and scaled."""
    result = []
    for k in range(int(np.ceil(end * fps - 0.06))):
        nearest = min(range(len(times)), key=lambda i: (round(abs(times[i] - k / fps), 9), i))
        picture = pictures[nearest]
        height, width = picture.shape[:2]
        side = min(height, width)
        x, y = (width - side) / 2, (height - side) / 2
        box = (x, y, x + side, y + side)
        scaled = Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC, box)
        result.append(np.asarray(scaled))
    return np.stack(result)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.mp4", "libx264", 10),
        ("a.mov", "mpeg4", 25),
        ("a.mkv", "libx264", Fraction(30000, 1001)),
        ("a.avi", "mpeg4", 15),
        ("a.webm", "libvpx-vp9", 12),
        ("a.mp4", "libx265", 20),
    ],
)
@pytest.mark.parametrize("fps", [10.0, 29.97])
def test_frames_equal_those_decoded_another_way(tmp_path, name, codec, rate, fps):
    path = write_video(tmp_path / name, [moving(i) for i in range(23)], codec, rate)
    frames = read(path, fps=fps, size=32)
    pictures, times = decode_otherwise(path)
    expected = expected_grid(pictures, times, 23 / float(rate), fps, 32)
    assert frames.shape == expected.shape
    assert np.abs(frames.astype(int) - expected).mean() < 2


@pytest.mark.parametrize("seed", range(6))
def test_variable_frame_rate_goes_by_time_stamps(tmp_path, seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.integers(5, 200, 30)).tolist()
    path = write_video(tmp_path / "a.mkv", [gray(i) for i in range(30)], times=times)
    frames = read(path, fps=20.0, size=8)
    shown = np.round((frames.mean((1, 2, 3)) - 20) / 5).astype(int)
    seconds = (np.array(times) - times[0]) / 1000
    nearest = [int(np.argmin(np.abs(seconds - k / 20))) for k in range(len(shown))]
    assert shown.tolist() == nearest
    assert nearest[-1] == 29
    assert len(shown) >= seconds[-1] * 20


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize(("hflip", "vflip"), [(False, False), (True, False), (False, True)])
def test_display_matrix_is_honoured(tmp_path, degrees, hflip, vflip):
    quarters = np.zeros((64, 64, 3), np.uint8)
    quarters[:32, :32], quarters[:32, 32:] = RED, GREEN
    quarters[32:, :32], quarters[32:, 32:] = BLUE, WHITE
    path = write_video(tmp_path / "a.mp4", [quarters] * 3, rotation=(degrees, hflip, vflip))
    upright = np.rot90(quarters, degrees // 90)  # counter-clockwise
    upright = upright[:, ::-1] if hflip else upright
    upright = upright[::-1] if vflip else upright
    frame = read(path, size=64)[0]
    assert np.abs(frame.astype(int) - upright).mean() < 8


def test_pixels_that_are_not_square(tmp_path):
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, 16:48] = WHITE  # with pixels twice as wide as high, just the middle square
    path = write_video(tmp_path / "a.mkv", [picture] * 3, sample_aspect_ratio=Fraction(2, 1))
    assert read(path, size=16)[0].min() > 180


@pytest.mark.parametrize(
    ("region", "color"),
    [("whole", None), ("left half", RED), ("right half", BLUE), ("left view", RED)],
)
def test_regions(tmp_path, region, color):
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:, :32], picture[:, 32:] = RED, BLUE
    path = write_video(tmp_path / "a.mp4", [picture] * 3)
    frame = read(path, size=16, region=region)[0].astype(int)
    if color is None:
        assert np.abs(frame[:, :6] - RED).mean() < 12
        assert np.abs(frame[:, 10:] - BLUE).mean() < 12
    else:
        assert np.abs(frame[:, :14] - color).mean() < 12


def test_long_videos_are_cut(tmp_path):
    path = write_video(tmp_path / "a.mp4", [gray(i) for i in range(25)])
    said = [Narration(0.2, 0.9, "one"), Narration(0.8, 1.5, "two"), Narration(2.0, 2.0, "now")]
    episodes = list(read_video(path, VideoSettings(seconds=1.0, size=8), "all", said))
    assert [len(episode) for episode in episodes] == [10, 10, 5]
    assert [episode.source["start_seconds"] for episode in episodes] == [0, 1, 2]
    assert {episode.instruction for episode in episodes} == {"all"}
    texts = [[n.text for n in episode.narrations] for episode in episodes]
    assert texts == [["one", "two"], ["two"], ["now"]]
    assert episodes[1].narrations[0] == Narration(0.0, 0.5, "two")
    frames = np.concatenate([e.decode().frames["rgb_static"] for e in episodes])
    assert np.round((frames.mean((1, 2, 3)) - 20) / 5).astype(int).tolist() == list(range(25))


def test_only_one_recording_is_held(tmp_path, monkeypatch):
    """Frames are encoded as they come: the first recording is there before the file's end."""
    import firsthand.episodes.video.frames

    path = write_video(tmp_path / "a.mp4", [gray(i % 40) for i in range(200)])
    converted = []
    convert = firsthand.episodes.video.frames.to_image
    monkeypatch.setattr(
        firsthand.episodes.video.frames, "to_image", lambda *a: converted.append(1) or convert(*a)
    )
    next(read_video(path, VideoSettings(seconds=2.0, size=8)))
    assert len(converted) == 20


def test_narrations_within_touching_times():
    said = [Narration(0.0, 1.0, "before"), Narration(1.0, 1.0, "at"), Narration(2.0, 3.0, "after")]
    assert [n.text for n in narrations_within(said, 1.0, 2.0)] == ["at"]


def _audio_only(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _cut(path, name, codec):
    whole = write_video(path.with_name(name), [moving(i) for i in range(60)], codec)
    content = whole.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])


BAD = {
    "text.mp4": (lambda path: path.write_text("this is no video\n" * 100), "cannot be decoded at"),
    "empty.mp4": (lambda path: path.write_bytes(b""), "cannot be decoded at its start"),
    "sound.mp4": (_audio_only, "has no video stream, only audio"),
    "cut.mp4": (lambda path: _cut(path, "w.mp4", "libx264"), "cannot be decoded at its start"),
    "cut.avi": (lambda path: _cut(path, "w.avi", "mpeg4"), r"is cut short: \d+ of 60 frames"),
    "cut.mkv": (lambda path: _cut(path, "w.mkv", "libx264"), r"is cut short: \d\.\d of 6\.0 s"),
    "cut.webm": (lambda path: _cut(path, "w.webm", "libvpx-vp9"), r"is cut short|cannot be dec"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_videos_are_explained(tmp_path, name):
    write, reason = BAD[name]
    write(tmp_path / name)
    with pytest.raises(UserError, match=reason):
        list(read_video(tmp_path / name, VideoSettings(size=8)))


def test_broken_time_stamps_do_not_fill_the_disk(tmp_path):
    times = [0, 100, 10**9]
    path = write_video(tmp_path / "a.mkv", [gray(i) for i in range(3)], times=times)
    parts = list(read_video(path, VideoSettings(size=8)))
    assert [len(part) for part in parts] == [2, 1]
    assert [part.source["start_seconds"] for part in parts] == [0.0, 1e6]


@pytest.mark.parametrize("seed", range(20))
def test_damaged_bytes_never_crash(tmp_path, seed):
    path = write_video(tmp_path / "a.mp4", [moving(i) for i in range(12)])
    rng = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    for position in rng.integers(0, len(content), 40):
        content[position] = rng.integers(256)
    path.write_bytes(content)
    try:
        episodes = list(read_video(path, VideoSettings(size=8)))
    except UserError:
        return
    assert sum(len(episode) for episode in episodes) > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fps": 0.0}, "fps of videos must be in"),
        ({"size": 0}, "size of pictures must be 1"),
        ({"region": "top"}, "region must be one of whole, left half"),
        ({"seconds": 0.01}, "0.01 s at 10.0 fps hold no frame"),
        ({"quality": 101}, "quality must be 1 to 100, not 101"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(UserError, match=message):
        VideoSettings(**settings)
