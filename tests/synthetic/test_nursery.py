"""What the narrator says must be what happened, by the true poses and by what can be seen."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.episodes.storage.reader import EpisodeFile
from firsthand.synthetic.nursery import corpus as nursery_corpus
from firsthand.synthetic.nursery.corpus import NurseryConfig, make_nursery
from firsthand.synthetic.nursery.motions import WAYS
from firsthand.synthetic.nursery.narration import WORDINGS, call
from firsthand.synthetic.nursery.render import HAND_ID, TOY_ID, ClipRenderer, make_episode
from firsthand.synthetic.nursery.scene import NurseryClip, sample_scene
from firsthand.synthetic.nursery.simulation import Event
from firsthand.synthetic.nursery.toys import COLORS, KINDS, SIZES, make_toy

SECONDS, FPS = 10.0, 10
FURNITURE = ("drawer", "door", "lamp")


@cache
def clips() -> tuple[NurseryClip, ...]:
    return tuple(sample_scene(20, index, SECONDS, FPS) for index in range(40))


@cache
def events() -> tuple[tuple[NurseryClip, Event], ...]:
    return tuple((clip, event) for clip in clips() for event in clip.events if event.complete)


def frames(clip: NurseryClip, event: Event) -> tuple[int, int]:
    """The last frame before the event and the first one after it."""
    end = int(np.ceil(event.end * clip.fps - 1e-9))
    return int(event.start * clip.fps + 1e-9), min(end, len(clip) - 1)


def toy(clip: NurseryClip, name: str) -> int:
    return clip.scene.names.index(name)


def path(clip: NurseryClip, event: Event) -> np.ndarray:
    """(t, 3) positions of the event's toy from before to after."""
    first, last = frames(clip, event)
    return clip.positions[first : last + 1, toy(clip, event.thing)]


def select(*verbs: str) -> list[tuple[NurseryClip, Event]]:
    chosen = [(clip, event) for clip, event in events() if event.verb in verbs]
    assert len(chosen) >= 3, f"too few of {verbs} to judge"
    return chosen


_FILMS: dict[int, ClipRenderer] = {}


def seen(clip: NurseryClip, frame: int, name: str) -> int:
    """How many of 128 x 128 pixels show a toy."""
    camera = _FILMS.get(id(clip)) or _FILMS.setdefault(id(clip), ClipRenderer(clip, 128))
    return int((camera.draw(frame).segmentation == TOY_ID + toy(clip, name)).sum())


def test_narrations_lie_inside_their_clip_and_follow_each_other() -> None:
    for clip in clips():
        assert len(clip.narrations) == len(clip.events) >= 3
        for narration in clip.narrations:
            assert 0 <= narration.start < narration.end <= SECONDS
        for before, after in zip(clip.narrations[:-1], clip.narrations[1:], strict=True):
            assert before.end <= after.start


def test_narrations_name_the_thing_and_no_other() -> None:
    for clip in clips():
        for event, narration in zip(clip.events, clip.narrations, strict=True):
            words = narration.text.strip("?!").split()
            for name in (event.thing, *([event.other] if event.verb in ("hide", "stack") else [])):
                assert name.split()[-1] in words, (name, narration.text)
            if event.thing not in FURNITURE:
                adjectives = {word for word in words if word in COLORS or word in SIZES}
                allowed = set(f"{event.thing} {event.other}".split())
                assert adjectives <= allowed, narration.text
            assert "{" not in narration.text


def test_a_name_is_never_ambiguous() -> None:
    names = ("big red ball", "blue ball", "small red block", "red car")
    rng = np.random.default_rng(0)
    for _ in range(100):
        assert call("red car", names, rng) in ("the car", "the red car")
        assert call("blue ball", names, rng) == "the blue ball"
        assert call("big red ball", names, rng) in ("the red ball", "the big red ball")


def test_pushed_and_rolled_toys_go_the_way_that_is_said() -> None:
    for clip, event in select("push", "roll"):
        moved = np.diff(path(clip, event)[[0, -1]], axis=0)[0]
        along = float(moved @ WAYS[event.way])
        assert along > 0.05, (event, moved)
        assert np.linalg.norm(moved - along * WAYS[event.way]) < 0.5 * along, (event, moved)


def test_every_way_is_pushed() -> None:
    assert {event.way for _, event in select("push")} == set(WAYS)


def test_a_ball_turns_as_it_rolls() -> None:
    turned = 0
    for clip, event in select("push", "roll"):
        index = toy(clip, event.thing)
        first, last = frames(clip, event)
        change = clip.turns[last, index] @ clip.turns[first, index].T
        moved = not np.allclose(change, np.eye(3), atol=0.2)
        assert moved == clip.scene.toys[index].rolls or clip.scene.toys[index].rolls, event
        turned += moved
    assert turned


def test_lifted_toys_go_up_and_put_ones_come_to_rest_on_the_table() -> None:
    for clip, event in select("lift"):
        heights = path(clip, event)[:, 2]
        assert heights[-1] - heights[0] > 0.07, event
    for clip, event in select("put"):
        half = clip.scene.toys[toy(clip, event.thing)].half_height
        assert path(clip, event)[0, 2] > half + 0.05, event
        assert abs(path(clip, event)[-1, 2] - half) < 0.004, event


def test_dropped_toys_fall_as_gravity_has_it() -> None:
    for clip, event in select("drop"):
        heights = path(clip, event)[:, 2]
        half = clip.scene.toys[toy(clip, event.thing)].half_height
        assert heights.max() - heights[-1] > 0.06, event
        assert heights[-1] - half < 0.03, event
        # From 10 cm a free fall takes 0.14 s: at 10 frames a second two frames see it at most.
        assert np.diff(heights).min() < -0.03, event


def test_shown_toys_come_close_and_fill_the_picture() -> None:
    for clip, event in select("show"):
        first, last = frames(clip, event)
        away = np.linalg.norm(path(clip, event) - clip.eye[first : last + 1], axis=1)
        assert away.min() < 0.33, event
        middle = first + int(away.argmin())
        assert seen(clip, middle, event.thing) > 100, event


def test_shaken_toys_go_to_and_fro() -> None:
    for clip, event in select("shake"):
        steps = np.sign(np.diff(path(clip, event)[:, 0]).round(3))
        steps = steps[steps != 0]
        assert (np.diff(steps) != 0).sum() >= 3, event


def test_spun_toys_turn_on_the_spot() -> None:
    for clip, event in select("spin"):
        index = toy(clip, event.thing)
        first, last = frames(clip, event)
        turns = clip.turns[first : last + 1, index]
        steps = np.swapaxes(turns[:-1], 1, 2) @ turns[1:]
        angles = np.abs(np.arctan2(steps[:, 1, 0], steps[:, 0, 0]))
        assert angles.sum() > 3, event
        assert np.linalg.norm(np.diff(path(clip, event)[[0, -1]], axis=0)) < 0.02, event


def test_stacked_toys_stand_on_each_other() -> None:
    for clip, event in select("stack"):
        _, last = frames(clip, event)
        upper, lower = toy(clip, event.thing), toy(clip, event.other)
        apart = clip.positions[last, upper] - clip.positions[last, lower]
        halves = clip.scene.toys[upper].half_height + clip.scene.toys[lower].half_height
        assert abs(apart[2] - halves) < 0.004, event
        assert np.hypot(*apart[:2]) < 0.01, event


def test_hidden_toys_are_out_of_sight_and_revealed_ones_in_sight() -> None:
    for clip, event in select("hide"):
        first, last = frames(clip, event)
        assert seen(clip, last, event.thing) <= 0.12 * seen(clip, first, event.thing), event
    for clip, event in select("reveal"):
        first, last = frames(clip, event)
        assert seen(clip, first, event.thing) == 0, event
        assert max(seen(clip, frame, event.thing) for frame in range(first, last)) > 30, event


def test_furniture_ends_as_is_said() -> None:
    for clip, event in select("open", "close", "slide", "turn on", "turn off"):
        first, last = frames(clip, event)
        if event.thing == "lamp":
            assert bool(clip.lit[last]) == (event.verb == "turn on") != bool(clip.lit[first]), event
            continue
        sliders = [slider for slider, _ in clip.scene.furniture.sliders]
        index = [slider.name for slider in sliders].index(event.thing)
        share = clip.sliders[[first, last], index] / sliders[index].high
        goal = 1.0 if event.verb == "open" or event.way == "right" else 0.0
        np.testing.assert_allclose(share, [1 - goal, goal], atol=0.02, err_msg=str(event))


def test_the_head_turns_to_what_is_looked_at() -> None:
    for clip, event in select("look"):
        first, last = frames(clip, event)
        index = toy(clip, event.thing)
        to_toy = clip.positions[last, index] - clip.eye[last]
        sight = clip.target[last] - clip.eye[last]
        cosine = to_toy @ sight / np.linalg.norm(to_toy) / np.linalg.norm(sight)
        assert np.degrees(np.arccos(cosine)) < 22, event


def test_nothing_falls_through_the_table_or_off_it_or_jumps() -> None:
    for clip in clips():
        halves = np.array([toy.half_height for toy in clip.scene.toys])
        assert (clip.positions[:, :, 2] >= halves - 1e-6).all()
        assert (np.abs(clip.positions[:, :, 0]) < 0.5).all()
        assert (np.linalg.norm(np.diff(clip.positions, axis=0), axis=2) < 0.25).all()
        orthogonal = clip.turns @ np.swapaxes(clip.turns, 2, 3)
        np.testing.assert_allclose(
            orthogonal, np.broadcast_to(np.eye(3), orthogonal.shape), atol=1e-9
        )


def test_the_hand_is_in_the_picture_and_what_it_does_can_be_seen() -> None:
    hand, changes = [], []
    for clip in clips()[:8]:
        camera = ClipRenderer(clip, 64)
        pictures = [camera.draw(frame) for frame in range(0, len(clip), 3)]
        hand += [(picture.segmentation == HAND_ID).mean() for picture in pictures]
        rgb = np.stack([picture.rgb for picture in pictures]).astype(float)
        changes += list(np.abs(np.diff(rgb, axis=0)).mean(axis=(1, 2, 3)))
    assert np.mean(np.array(hand) > 0.01) > 0.8
    assert np.median(changes) > 4  # of 255, between frames 0.3 s apart


def test_scenes_differ() -> None:
    scenes = [clip.scene for clip in clips()]
    assert len({scene.names for scene in scenes}) > 0.9 * len(scenes)
    assert {scene.side for scene in scenes} == {1, -1}
    assert len({event.verb for _, event in events()}) >= 14
    assert {noun for scene in scenes for noun in (toy.noun for toy in scene.toys)} == set(KINDS)


@pytest.mark.parametrize("noun", KINDS)
def test_a_toy_fills_the_disc_and_the_height_it_claims(noun: str) -> None:
    made = make_toy(noun, "red", "big")
    corners = np.concatenate([part.mesh.vertices for part in made.parts])
    assert abs(corners[:, 2].min() + made.half_height) < 0.003
    assert abs(corners[:, 2].max() - made.half_height) < 0.003
    assert 0.7 * made.radius < np.hypot(*corners.T[:2]).max() < 1.5 * made.radius


def test_every_wording_has_four_parts() -> None:
    for wordings in WORDINGS.values():
        assert all(len(wording) == 4 and "{x}" in wording[3] for wording in wordings)


def _digest(index: int) -> str:
    episode = make_episode(3, index, 2.0, 10, 48)
    said = repr(episode.narrations).encode()
    return hashlib.sha256(episode.frames["rgb_static"].tobytes() + said).hexdigest()


def test_a_clip_has_the_same_bits_in_another_process() -> None:
    code = "from tests.synthetic.test_nursery import _digest; print(_digest(5))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split()[-1] == _digest(5)
    assert _digest(6) != _digest(5)


def _config(clips: int, workers: int, seconds: float = 1.0) -> NurseryConfig:
    return NurseryConfig(clips, seconds, size=32, seed=4, held_out=0.2, workers=workers)


def test_the_corpus_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    one = make_nursery(_config(10, workers=1), tmp_path / "one.hdf5")
    two = make_nursery(_config(10, workers=2), tmp_path / "two.hdf5")
    assert one.read_bytes() == two.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["one.hdf5", "two.hdf5"]
    with EpisodeFile(one) as file:
        assert len(file) == 10
        assert (len(file.names("train")), len(file.names("valid"))) == (8, 2)
        episode = file.read(9)
    assert episode.source == {"source": "nursery", "seed": 4, "index": 9}
    assert episode.frames["rgb_static"].shape == (10, 32, 32, 3)
    assert episode.narrations == sample_scene(4, 9, 1.0, 10).narrations


def test_a_killed_corpus_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_nursery(_config(16, 1, seconds=1.5), tmp_path / "whole.hdf5")
    out = tmp_path / "killed.hdf5"
    code = (
        "from pathlib import Path; from firsthand.synthetic.nursery.corpus import *;"
        f"make_nursery(NurseryConfig(16, 1.5, size=32, seed=4, held_out=0.2, workers=1),"
        f"Path({str(out)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    while not (kept := list(tmp_path.glob("*.shards/*.hdf5"))) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert kept
    assert not out.exists()
    remade: list[Path] = []
    make_shards = nursery_corpus._make_shards
    monkeypatch.setattr(
        nursery_corpus,
        "_make_shards",
        lambda config, missing: (remade.extend(missing.values()), make_shards(config, missing)),
    )
    make_nursery(_config(16, 1, seconds=1.5), out, resume=True)
    assert remade
    assert not set(remade) & set(kept)
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["killed.hdf5", "whole.hdf5"]


def test_resuming_a_finished_corpus_leaves_it_and_refuses_another(tmp_path: Path) -> None:
    out = make_nursery(_config(2, workers=1), tmp_path / "done.hdf5")
    before = out.stat()
    assert make_nursery(_config(2, workers=2), out, resume=True) == out
    assert out.stat().st_mtime_ns == before.st_mtime_ns
    with pytest.raises(UserError, match="choose another name"):
        make_nursery(_config(3, workers=1), out, resume=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clips": 0}, "clips must be at least 1, not 0"),
        ({"fps": 30}, "fps must be one of .* not 30"),
        ({"held_out": 1.0}, "held_out .* not 1.0"),
        ({"seconds": 0.01}, "less than one frame"),
        ({"seed": -1}, "not -1"),
    ],
)
def test_impossible_configurations_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        NurseryConfig(**changes)
