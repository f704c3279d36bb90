from pathlib import Path

import numpy as np
import pytest

from firsthand.cli import main as cli
from firsthand.common import uri
from firsthand.episodes.convert.report import ConversionReport
from firsthand.episodes.corpus.index_writer import IndexedShard, describe, write_index
from firsthand.episodes.episode import Episode, Narration
from firsthand.episodes.storage.merge import EpisodeFile, EpisodeWriter

LOST = ConversionReport(
    "clips", 4, {"train": 2, "valid": 1}, (("x.mp4", "is cut short"),), ("odd: y",)
)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    shards = []
    for number, text in enumerate(("washes the cup", "opens the door", "cuts the bread")):
        path = tmp_path / "corpus" / "shards" / f"{number}.h5"
        pictures = np.random.default_rng(number).integers(0, 256, (8, 96, 96, 3), np.uint8)
        with EpisodeWriter(path) as writer:
            said = (Narration(0.0, 1.0, text),)
            writer.add(Episode({"rgb_static": pictures}, fps=4.0, narrations=said))
        name, split = f"shards/{path.name}", "valid" if number == 2 else "train"
        shards.append(IndexedShard(name, describe(EpisodeFile(path)), [f"v{number}"], [split]))
    write_index(tmp_path / "corpus", shards, "clips", {})
    uri.write(tmp_path / "corpus" / "report.json", LOST.to_json())
    return tmp_path / "corpus"


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.rindex(b"JFIF") + 4000] ^= 1
    path.write_bytes(content)


def test_inspect_says_what_a_corpus_holds(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["inspect", str(corpus), f"sheet={tmp_path}/sheet.png"]) == 0
    shown = capsys.readouterr().out
    for words in (
        "every byte checked",
        "3 (train 2, valid 1)",
        "3 (0 of them in several splits)",
        "24 (0.00 hours)",
        "4 fps",
        "96x96 3",
        "washes the cup",
        "pixels/rgb_static",
        "lost in conversion: 1 of 4 items",
        "x.mp4: is cut short",
        "odd: y",
    ):
        assert words in shown, words
    assert (tmp_path / "sheet.png").is_file()


def test_inspect_names_every_damaged_shard(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(corpus / "shards" / "1.h5")
    assert cli.main(["inspect", str(corpus)]) == 1
    shown = capsys.readouterr()
    assert "1 of 3 files damaged" in shown.out
    (line,) = shown.err.splitlines()
    assert f"{corpus}/shards/1.h5: the file cannot be read: bytes" in line
    assert "in demo_0" in line
    (corpus / "shards" / "2.h5").unlink()
    assert cli.main(["inspect", str(corpus)]) == 1
    shown = capsys.readouterr()
    assert f"{corpus}/shards/2.h5: cannot be opened" in shown.out
    assert "2 of 3 files damaged, the first: " in shown.err


def test_inspect_does_not_believe_a_damaged_index_or_report(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / "report.json").write_text("{}")
    assert cli.main(["inspect", str(corpus)]) == 1
    assert "report.json is damaged" in capsys.readouterr().err
    (corpus / "corpus.json").write_bytes((corpus / "corpus.json").read_bytes()[:-9])
    assert cli.main(["inspect", str(corpus)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "corpus.json: is damaged" in line


def test_inspect_reads_urls(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import fsspec

    monkeypatch.setenv("FIRSTHAND_CACHE", str(tmp_path / "cache"))
    fsspec.filesystem("memory").put(str(corpus), "/inspected", recursive=True)
    assert cli.main(["inspect", "memory://inspected"]) == 0
    assert "3 (train 2, valid 1)" in capsys.readouterr().out
    assert cli.main(["inspect", "memory://nothing"]) == 1
    assert "memory://nothing: holds no corpus.json" in capsys.readouterr().err
    fsspec.filesystem("memory").rm("/inspected", recursive=True)
