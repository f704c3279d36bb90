"""What `corpus=` and `source=` mean: datasets are converted, corpora are found and mixed."""

import json
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from firsthand.build import corpora
from firsthand.build import datasets as sources
from firsthand.build.corpora import EpisodesCorpus, MixtureCorpus, VideosCorpus, corpora_of
from firsthand.cli import main as cli
from firsthand.cli import settings
from firsthand.commands import pretrain
from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import Source
from firsthand.episodes.corpus.corpus import Corpus
from firsthand.episodes.formats.saycam.utterances import read_utterances
from firsthand.episodes.storage.merge import EpisodeWriter
from firsthand.synthetic.home.corpus import HomeConfig
from tests.episodes.conftest import record
from tests.episodes.formats.test_video_folder import write_video


@pytest.fixture
def videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three videos and one that is none, beside the working directory."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(3):
        write_video(folder / f"{number}.mp4", 40 * number)
    (folder / "text.mp4").write_text("no video")
    return folder


WORDS = ("root=videos", "source.size=16", "workers=0")


def test_a_folder_of_videos_becomes_a_corpus(videos: Path, capsys) -> None:
    words = ["convert", *WORDS, "out=made", "max_lost=0.5"]
    assert cli.main([*words, "run=run"]) == 0
    said = capsys.readouterr().out
    assert "skipped text.mp4: cannot be decoded" in said
    assert "3 of 4 items used, as recordings: 2 train, 1 valid" in said
    assert json.loads(Path("run/report.json").read_text())["items"] == 4
    assert len(Corpus.open("made")) == 3
    assert cli.main([*words, "run=again"]) == 0
    assert "converting" not in capsys.readouterr().out
    assert cli.main(["convert", *WORDS, "max_lost=0.5", "run=default"]) == 0
    assert len(Corpus.open("default/corpus")) == 3


def test_too_much_lost_is_one_line(videos: Path, capsys) -> None:
    assert cli.main(["convert", *WORDS, "out=made", "run=run"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "1 of 4 items are lost (25.0%), more than max_lost=0.05: text.mp4 cannot" in line
    assert "made/report.json" in line


def test_every_choice_has_settings_to_show(project: Path) -> None:
    shown = {path.stem for path in (project / "configs" / "source").glob("*.yaml")}
    assert shown == sources.CHOICES.keys()
    kinds = {*get_args(sources.Dataset), *get_args(sources.Checkpoint), sources.EpisodeExport}
    assert kinds == set(sources.CHOICES.values())
    for kind in get_args(sources.Dataset):
        names = {f.name for f in fields(kind)}
        assert "root" in names
        assert {"origin", "listing", "read"} <= set(dir(kind))


def test_every_source_is_one(videos: Path) -> None:
    for kind in get_args(sources.Dataset):
        assert isinstance(kind(root=videos), Source)


def test_videos_are_converted_once(videos: Path, capsys) -> None:
    corpus = VideosCorpus(root=videos, size=16, workers=0)
    (part,) = corpora_of(corpus)
    assert "skipped text.mp4" in capsys.readouterr().out
    assert len(part.corpus.split("train")) == 2
    assert part.weight is None
    (again,) = corpora_of(corpus)
    assert again.corpus.fingerprint == part.corpus.fingerprint
    said = capsys.readouterr().out
    assert "converting" not in said
    assert "skipped text.mp4" in said
    corpora_of(VideosCorpus(root=videos, size=16, workers=0, fps=5.0))
    assert len(list(corpora.MADE.iterdir())) == 2


@pytest.mark.parametrize("frames", [14, 15])
def test_a_single_short_video_is_halved(frames: int, videos: Path, capsys) -> None:
    for path in videos.iterdir():
        path.unlink()
    write_video(videos / "only.mp4", 40, frames)
    (part,) = corpora_of(VideosCorpus(root=videos, size=16, workers=0))
    assert sorted(part.corpus.recordings["length"].tolist()) == [7, frames - 7]
    assert (len(part.corpus.split("train")), len(part.corpus.split("valid"))) == (1, 1)
    assert "one short video: cut in two (corpus.seconds=0." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["finetune", "demonstrations=one.h5"], "take more demonstrations; firsthand record holds"),
        (["pretrain", "corpus=episodes", "corpus.files=one.h5"], "take more recordings; firsthand"),
        (["pretrain", "corpus=videos", "corpus.root=videos", "corpus.held_out=0",
          "corpus.workers=0"], "take more video, and corpus.held_out above 0"),
    ],
)  # fmt: skip
def test_nothing_to_measure_on_is_told_with_what_helps(words, advice, videos, capsys) -> None:
    with EpisodeWriter(Path("one.h5")) as writer:
        writer.add(record(length=20, seed=0), "train")
    assert cli.main([*words, "run=run"]) == 1
    assert f"no recording is held out to measure on: {advice}" in capsys.readouterr().err
    assert not Path("run").exists()


def test_a_home_is_watched_as_it_is_learned_from(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    small = HomeConfig(hours=80 / 3600, seconds=4.0, size=16, evaluation=False, workers=1)
    root = corpora.home(small)
    (part,) = corpora_of(small)
    assert "converting" in capsys.readouterr().out
    for split, file in (("train", "train.json"), ("valid", "val.json")):
        rows = read_utterances(root / file)
        assert len(part.corpus.split(split)) == sum(bool(row.frame_filenames) for row in rows) > 0
    first = part.corpus.header(int(part.corpus.split("valid")[0]))
    assert first.instruction in {row.utterance for row in rows}
    (again,) = corpora_of(small)
    assert again.corpus.fingerprint == part.corpus.fingerprint
    assert "converting" not in capsys.readouterr().out
    assert len(list(corpora.MADE.iterdir())) == 2
    words = ["corpus=home", "corpus.size=32", "policy.n_obs_steps=2"]
    chosen = settings.load("pretrain", pretrain.SCHEMA, words).config.corpus
    assert isinstance(chosen, HomeConfig)
    assert chosen.size == 32


def test_of_several_processes_one_makes_a_corpus(videos: Path, capsys) -> None:
    """The others read what it made, and make nothing."""
    corpus = VideosCorpus(root=videos, size=16, workers=0)
    made: list[str] = []
    (first,) = corpora_of(corpus, lambda make: made.append(make()) or made[0])
    capsys.readouterr()
    (other,) = corpora_of(corpus, lambda make: made[0])
    assert other.corpus.fingerprint == first.corpus.fingerprint
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"held_out": 1.0}, "held_out must be at least 0"),
        ({"workers": -1}, "workers must be 0 or more"),
        ({"size": 0}, "the size of pictures"),
    ],
)
def test_impossible_settings_of_videos_are_refused(values, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        VideosCorpus(root=tmp_path, **values)


@pytest.fixture
def stores(videos: Path) -> list[str]:
    """A corpus with an index, a file of episodes, and a folder of one."""
    assert cli.main(["convert", *WORDS, "max_lost=0.5", "out=made", "run=run"]) == 0
    (videos.parent / "folder").mkdir()
    for name in ("one.h5", "folder/two.h5"):
        with EpisodeWriter(name) as writer:
            writer.add(record(0))
    return ["made", "one.h5", "folder"]


def test_places_are_opened_as_what_they_are(stores: list[str]) -> None:
    made, one, folder = stores
    assert [len(p.corpus) for p in corpora_of(EpisodesCorpus(made))] == [3]
    assert [len(p.corpus) for p in corpora_of(EpisodesCorpus((one, folder)))] == [2]
    assert [len(p.corpus) for p in corpora_of(EpisodesCorpus((one, made, folder)))] == [2, 3]
    assert {p.weight for p in corpora_of(EpisodesCorpus((one, made)))} == {None}
    for nothing in ("nowhere", ("one.h5", "nowhere"), ()):
        with pytest.raises(UserError, match=r"no episodes at nowhere|name at least one file"):
            corpora_of(EpisodesCorpus(nothing))


def test_mixtures_have_a_weight_for_each_part(stores: list[str]) -> None:
    made, one, _ = stores
    parts = corpora_of(MixtureCorpus({"a": made, "b": one}, {"b": 1.0, "a": 3.0}))
    assert [(len(part.corpus), part.weight) for part in parts] == [(3, 3.0), (1, 1.0)]
    with pytest.raises(UserError, match="parts are a, weights are of b"):
        MixtureCorpus({"a": made}, {"b": 1.0})
    with pytest.raises(UserError, match="a mixture needs parts"):
        MixtureCorpus({}, {})
