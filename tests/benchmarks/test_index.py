import numpy as np
import pytest

from firsthand.benchmarks.index import CLIPS, measure, write_clips
from firsthand.episodes.corpus.corpus import Corpus


def test_made_up_clips_are_a_corpus(tmp_path):
    write_clips(tmp_path, 1000)
    corpus = Corpus.open(tmp_path)
    assert len(corpus) == 1000
    assert len(corpus.split("train")) == 900
    assert len(corpus.texts) == 1001
    assert corpus.header(999).narrations[0].text.endswith("the object 999 on the counter")
    assert np.array_equal(np.bincount(corpus.recordings["shard"]), [140] * 7 + [20])
    cost = measure(tmp_path)
    assert cost is None or (cost.clips, cost.bytes_on_disk > 100_000) == (1000, True)


@pytest.mark.slow
def test_a_million_clips_open_in_two_seconds(tmp_path):
    write_clips(tmp_path)
    cost = measure(tmp_path)
    assert cost is not None
    assert cost.clips == CLIPS == 1_000_000
    assert cost.seconds < 2
    assert cost.mebibytes < 300e6 / 2**20
