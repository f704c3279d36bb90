"""Videos that tests write."""

from fractions import Fraction

import av
import numpy as np

from firsthand.episodes.video.encode import keep_scheduling


def moving(index, height=48, width=64):
    """A smooth pattern that tells frames apart."""
    y, x = np.mgrid[:height, :width]
    wave = np.stack([x / 9 + index / 3, y / 8 - index / 5, (x + y) / 12 + index], -1)
    return (127 + 90 * np.sin(wave)).astype(np.uint8)


def write_film(path, frames, codec="libx264", rate=30, times=None, rotation=None, **options):
    """`frames` moving pictures; `times` are milliseconds, `options` the encoder's.

    `muxer` among the options is a table of options for the container.
    """
    muxer = options.pop("muxer", {})
    with keep_scheduling(), av.open(str(path), "w", options=muxer) as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(moving(index), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def cut_film(source, path, start):
    """Copy a film's packets from the keyframe before `start`, and hide those before it."""
    with av.open(str(source)) as film, av.open(str(path), "w") as container:
        stream = film.streams.video[0]
        copy = container.add_stream_from_template(stream)
        film.seek(int(start / stream.time_base), stream=stream)
        for packet in film.demux(stream):
            if packet.pts is not None:
                packet.pts -= int(start / stream.time_base)
                packet.dts -= int(start / stream.time_base)
                packet.stream = copy
                container.mux(packet)
    return path
