import dataclasses

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.episode import Narration
from firsthand.episodes.ground_truth import NAMED, TOOL, located_frames, positions_of
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter
from tests.episodes.conftest import record

SCENE = np.zeros(24)
SCENE[6:9], SCENE[12:15], SCENE[18:21] = (0.1, -0.1, 0.46), (0.2, -0.2, 0.46), (0.3, 0.1, 0.46)


@pytest.fixture
def corpus(tmp_path):
    def made(*episodes):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.hdf5"
        with EpisodeWriter(path) as writer:
            for episode in episodes:
                writer.add(episode, "valid")
        return Corpus.of([path])

    return made


def tracked(blocks=("red", "blue"), length=12, **kwargs):
    """Blocks that move to the right, each in a row of its own."""
    where = np.zeros((length, len(blocks), 3), np.float32)
    where[..., 0] = np.arange(length)[:, None] / 100
    where[..., 1] = np.arange(len(blocks))
    source = {"blocks": list(blocks), **kwargs.pop("source", {})}
    return record(length=length, actions=False, signals={"blocks": where}, source=source, **kwargs)


def test_a_play_table_says_where_its_blocks_were_when_it_began(corpus):
    begun = record(
        source={"reset": {"scene_obs": SCENE.tolist()}}, instruction="push the red block"
    )
    (frame,) = located_frames(corpus(begun), "valid", 100)
    assert frame.frame == 0
    assert frame.sentence == "push the red block"
    assert frame.positions == {
        TOOL: tuple(begun.state[0, :2].astype(float)),
        "red": (0.1, -0.1), "blue": (0.2, -0.2), NAMED: (0.1, -0.1),
    }  # fmt: skip


def test_scene_states_of_all_frames_are_believed_and_hidden_blocks_left_out(corpus):
    scenes = np.tile(SCENE, (30, 1))
    scenes[5:, 8] = 0.7  # the red block is lifted
    some = corpus(record(length=30, signals={"scene_obs": scenes}))
    frames = located_frames(some, None, 100)
    assert [frame.frame for frame in frames] == [0, 5, 10, 15, 20, 25]
    assert ["red" in frame.positions for frame in frames] == [True] + [False] * 5
    assert all("blue" in frame.positions and "pink" not in frame.positions for frame in frames)


def test_any_corpus_can_tell_names_and_positions(corpus):
    said = (Narration(0.0, 0.5, "the crimson one"), Narration(0.7, 1.2, "move the blue block"))
    clip = tracked(narrations=said, source={"named": ["red", None]})
    frames = located_frames(corpus(clip), "valid", 100)
    assert [(f.frame, f.sentence) for f in frames] == [
        (0, "the crimson one"), (7, "move the blue block"), (10, "move the blue block"),
    ]  # fmt: skip
    assert frames[0].positions == {"red": (0, 0), "blue": (0, 1), NAMED: (0, 0)}
    assert NAMED not in frames[1].positions
    assert frames[1].positions["blue"] == pytest.approx((0.07, 1))


@pytest.mark.parametrize(
    ("sentence", "named"),
    [
        ("move the blue block", "blue"),
        ("Blue, please!", "blue"),
        ("the red one onto the blue one", None),
        ("a blueish reddening", None),
        ("", None),
    ],
)
def test_a_sentence_names_the_block_of_which_alone_it_holds_the_name(corpus, sentence, named):
    positions = located_frames(corpus(tracked(instruction=sentence)), None, 1)[0].positions
    assert positions.get(NAMED) == (positions[named] if named else None)


def test_frames_come_evenly_from_all_recordings(corpus):
    some = corpus(*(tracked(length=40) for _ in range(6)))
    frames = located_frames(some, "valid", 12)
    assert sorted(f.recording for f in frames) == sorted([*range(6)] * 2)
    assert {f.frame for f in frames} == {0, 35}
    assert frames == located_frames(some, "valid", 12)


def test_a_tool_of_its_own_and_a_missing_place(corpus):
    clip = tracked()
    clip.signals["blocks_known"] = np.tile([False, True], (12, 1))
    clip.signals["tool"] = np.full((12, 2), 0.25, np.float32)
    for frame in located_frames(corpus(clip), None, 9):
        assert frame.positions.keys() == {TOOL, "blue"}
        assert frame.positions[TOOL] == (0.25, 0.25)


def test_who_knows_nothing_says_nothing(corpus):
    assert located_frames(corpus(record(actions=False)), None, 9) == []
    (frame, *_) = located_frames(corpus(record()), None, 9)
    assert frame.positions.keys() == {TOOL}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": {"blocks": ["red"]}}, "positions of 2 blocks, and 1 names"),
        ({"signals": {"blocks": np.zeros((12, 4))}}, r"signal blocks of demo_0 is \(12, 4\)"),
        ({"source": {"blocks": ["red", "blue"], "named": []}}, "names 0 blocks, for 0 narrations"),
        ({"source": {"blocks": ["red", "blue"], "named": ["x"]}}, "'x', which is none of its"),
        (
            {"signals": {"blocks": np.zeros((12, 2, 3)), "blocks_known": np.ones((12, 3), bool)}},
            r"blocks_known of demo_0 is \(12, 3\), not \(12, 2\)",
        ),
        ({"signals": {"scene_obs": np.zeros((12, 9))}}, r"scene_obs of demo_0 is \(9,\), not"),
    ],
)
def test_contradictions_are_named(corpus, change, message):
    with pytest.raises(UserError, match=message):
        located_frames(corpus(dataclasses.replace(tracked(), **change)), None, 9)


def test_positions_are_of_every_frame(tmp_path):
    with EpisodeWriter(tmp_path / "a.hdf5") as writer:
        writer.add(tracked())
    with EpisodeFile(tmp_path / "a.hdf5") as file:
        found = positions_of(file, 0)
    np.testing.assert_allclose(found["blue"][:, 0], np.arange(12) / 100, atol=1e-7)
    assert found.keys() == {"red", "blue"}
