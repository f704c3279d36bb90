"""Words to checked dataclasses: every kind of bad word gets one line that says what to write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from firsthand.cli import settings
from firsthand.cli.schema import build, plain
from firsthand.cli.settings import Schema
from firsthand.common.errors import UserError


@dataclass(frozen=True)
class Hands:
    clips: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Videos:
    root: Path
    seed: int = 0


@dataclass(frozen=True)
class Train:
    steps: int = 100
    lr: float = 1e-3
    warmup: int = 10
    betas: tuple[float, float] = (0.9, 0.95)
    mode: Literal["fast", "slow"] = "fast"
    shift: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.warmup > self.steps:
            raise UserError(f"warmup={self.warmup} is longer than steps={self.steps}")


@dataclass(frozen=True)
class Film:
    rate: int = 3


@dataclass(frozen=True)
class Toy:
    corpus: Hands | Videos = field(default_factory=Hands)
    training: Train = field(default_factory=Train)
    cameras: tuple[str, ...] = ("a", "b")
    limit: float | None = None
    seed: int = 0
    film: Film = field(default_factory=Film)


TOY = Schema(Toy, {"corpus": {"hands": Hands, "videos": Videos}})


@pytest.fixture(autouse=True)
def _toy_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "toy.yaml": "defaults:\n  - toy_schema\n  - corpus: hands\n  - training: quick\n"
        "  - _self_\nlimit: 2.5\n",
        "corpus/hands.yaml": "defaults: [hands_schema, _self_]\nclips: 20\n",
        "corpus/videos.yaml": "defaults: [videos_schema, _self_]\n",
        "training/quick.yaml": "steps: 50\nlr: 1e-2\n",
        "training/long.yaml": "steps: 5000\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(settings, "CONFIGS", tmp_path)


def load(*words: str) -> settings.Settings:
    return settings.load("toy", TOY, words)


def test_defaults_then_files_then_words() -> None:
    loaded = load("seed=7", "training.warmup=5")
    assert loaded.config == Toy(Hands(20), Train(50, 1e-2, 5), limit=2.5, seed=7)
    assert loaded.resolved["corpus"] == {"clips": 20, "seed": 0}
    assert (loaded.run, loaded.resume) == (None, False)


def test_every_kind_of_value_arrives_as_its_annotation_says() -> None:
    loaded = load(
        "corpus=videos",
        "corpus.root=/some/where",
        "training=long",
        "training.betas=[0.5,1]",
        "training.mode=slow",
        "training.shift.rgb_static=4",
        "cameras=[c]",
        "limit=null",
        "run=there",
        "resume=true",
    )
    train = Train(5000, betas=(0.5, 1.0), mode="slow", shift={"rgb_static": 4})
    assert loaded.config == Toy(Videos(Path("/some/where")), train, ("c",), None)
    assert isinstance(loaded.config.training.betas[1], float)
    assert (loaded.run, loaded.resume) == ("there", True)


def test_names_in_a_mapping_are_added_one_by_one_or_replaced_together() -> None:
    one, two = "training.shift.a=1", "training.shift.b=2"
    assert load(one, two).config.training.shift == {"a": 1, "b": 2}
    assert load(one, "training.shift={c: 3}").config.training.shift == {"c": 3}


def test_plain_and_build_are_inverse() -> None:
    toy = Toy(Videos(Path("x")), Train(shift={"a": 1}), ("z",), None, 3)
    assert build(Toy, plain(toy), chosen={"corpus": Videos}) == toy


def test_the_last_word_for_a_key_counts() -> None:
    assert load("corpus=videos", "seed=1", "corpus=hands", "seed=2").config.seed == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["traning.steps=3"], "unknown key 'traning.steps'; did you mean 'training.steps'?"),
        (["training.device=cuda"], "a GPU is used where there is one"),
        (["epochs=3"], "did you mean 'training.steps'?"),
        (["output_dir=x"], "did you mean 'run'?"),
        (["stepz=3"], "did you mean 'training.steps'?"),
        (["corpus.root=x"], "unknown key 'corpus.root' here; it belongs to corpus=videos"),
        (["corpus.clipz=1"], "unknown key 'corpus.clipz'; did you mean 'corpus.clips'?"),
        (["qqq=1"], "unknown key 'qqq'"),
        (["corpus=video"], "corpus=video: did you mean 'videos'? (one of: hands, videos)"),
        (["corpus=moon"], "corpus=moon: must be one of: hands, videos"),
        (["corpus=videos"], "corpus.root has no value: write corpus.root=<value>"),
        (["training.steps=abc"], "training.steps=abc: must be a whole number"),
        (["training.steps=1.5"], "training.steps=1.5: must be a whole number"),
        (["training.steps=true"], "training.steps=True: must be a whole number"),
        (["training.lr=fast"], "training.lr=fast: must be a number"),
        (["training.lr=null"], "training.lr=null: must be a number"),
        (["training.mode=fats"], "training.mode=fats: did you mean 'fast'? (one of: fast, slow)"),
        (["training.betas=[1]"], "training.betas needs 2 values and has 1: [1]"),
        (["training.betas=0.9"], "training.betas=0.9: write a list, training.betas=[a,b]"),
        (["training.betas={a: 1}"], "training.betas={'a': 1}: write a list, training.betas=[a,b]"),
        (["seed=3", "training.shift=[1,2]"], "training.shift=[1, 2]: write {name: value, …}"),
        (["film={shifted: 3}"], "unknown key 'film.shifted'"),
        (["film=[3]"], "film=[3]: film has keys of its own, set film.<key>=<value>"),
        (["training.shift.x=far"], "training.shift.x=far: must be a whole number"),
        (["training.steps=5"], "training: warmup=10 is longer than steps=5"),
        (["limit=high"], "limit=high: must be a number"),
        (["resume=maybe"], "resume=maybe: must be true or false"),
        (["seed"], "cannot read 'seed': settings are written key=value"),
        (["seed={"], "cannot read 'seed={': seed must be a whole number"),
        (["limit=a=b"], "cannot read 'limit=a=b': limit must be a number or null"),
        (["cameras=a,b"], "cameras takes a list: write 'cameras=[a,b]'"),
        (["training.betas=0.5,1"], "write 'training.betas=[0.5,1]'"),
        (["seed=1,2"], "seed=1,2 lists several values; add -m to run them all"),
        (["+seed=1"], "+seed=1: there is nothing to add; write seed=1"),
        (["~seed"], "cannot read '~seed': settings are written key=value"),
        (["training=nowhere"], "training=nowhere: must be one of: long, quick"),
    ],
)
def test_a_bad_word_is_answered_in_one_line(words: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        load(*words)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_sweep_is_every_combination_the_last_fastest() -> None:
    loaded = settings.sweep(
        "toy", TOY, ["training.lr=0.1,0.2", "seed=range(0,2)", "limit=choice(1,2)", "resume=false"]
    )
    rows = [(s.config.training.lr, s.config.seed, s.config.limit) for s in loaded]
    assert rows == [(lr, seed, limit) for lr in (0.1, 0.2) for seed in (0, 1) for limit in (1, 2)]


def test_a_sweep_goes_over_choices() -> None:
    for word in ("training=long,quick", "training=glob(*)"):
        loaded = settings.sweep("toy", TOY, [word])
        assert [s.config.training.steps for s in loaded] == [5000, 50]


def test_a_bad_combination_in_a_sweep_is_found_before_any_runs() -> None:
    with pytest.raises(UserError, match="warmup=10 is longer than steps=5"):
        settings.sweep("toy", TOY, ["training.steps=100,5"])
