import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from firsthand.grounding.evaluation.retrieval import frames_by_word, words_by_frame

NAMES = ("ball", "cat", "hand")


def drawn(seed: int, frames: int) -> tuple[torch.Tensor, list[str], dict[str, torch.Tensor]]:
    random = torch.Generator().manual_seed(seed)
    seen = torch.randn(frames, 6, generator=random)
    shown = [NAMES[i % 3] for i in range(frames)]
    return seen, shown, {name: torch.randn(6, generator=random) for name in NAMES}


@given(seed=st.integers(0, 10**6), frames=st.integers(3, 150))
def test_frames_are_ranked_as_scikit_learn_says(seed, frames):
    seen, shown, words = drawn(seed, frames)
    found = frames_by_word(seen, shown, words)
    for word, vector in words.items():
        near = (seen @ vector).numpy()
        right = np.array(shown) == word
        wanted = average_precision_score(right, near)
        assert found[word].average_precision == pytest.approx(wanted, abs=1e-9)
        order = np.argsort(-near, kind="stable")
        assert found[word].best == tuple(order[:100])
        assert found[word].precision[10] == pytest.approx(right[order[:10]].mean())
        assert found[word].precision[100] == pytest.approx(right[order[:100]].mean())


@given(seed=st.integers(0, 10**6), frames=st.integers(3, 60))
def test_words_are_ranked_as_plain_loops_say(seed, frames):
    seen, shown, words = drawn(seed, frames)
    ranks = []
    for frame, name in zip(seen, shown, strict=True):
        near = {word: float(frame.double() @ vector.double()) for word, vector in words.items()}
        ranks.append(sorted(near, key=lambda word: -near[word]).index(name) + 1)
    found = words_by_frame(seen, shown, words)
    assert found.first == pytest.approx(np.mean([rank == 1 for rank in ranks]))
    assert found.reciprocal_rank == pytest.approx(np.mean([1 / rank for rank in ranks]))


def test_words_equally_near_share_their_rank():
    words = {name: torch.ones(6) for name in NAMES}
    found = words_by_frame(torch.ones(5, 6), ["ball"] * 5, words)
    assert found.first == pytest.approx(1 / 3)
    assert found.reciprocal_rank == pytest.approx(1 / 2)


def test_what_is_not_there_is_named():
    seen, shown, words = drawn(0, 6)
    with pytest.raises(ValueError, match="no frame shows 'car'"):
        frames_by_word(seen, shown, words | {"car": torch.ones(6)})
    with pytest.raises(ValueError, match="a frame shows 'car', which is none of the words"):
        words_by_frame(seen, [*shown[1:], "car"], words)
