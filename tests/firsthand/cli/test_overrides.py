"""Text settings take their word as it is written, and what we print can be pasted."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from firsthand.cli import main as cli
from firsthand.cli.overrides import split, written
from firsthand.cli.settings import Schema, parse
from firsthand.commands import COMMANDS
from firsthand.common.errors import UserError


@dataclass(frozen=True)
class Toy:
    name: str = "x"
    place: Path | None = None
    files: tuple[str, ...] | str = ()
    names: tuple[str, ...] = ()
    kinds: tuple[Literal["a", "b"], ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    sizes: tuple[int, ...] = ()
    count: int = 0


TOY = Schema(Toy)


def value(word: str, sweep: bool = False):
    (override,) = parse([word], TOY, sweep)
    if sweep and override.is_sweep_override():
        return list(override.sweep_string_iterator())
    return override.value()


TEXTS = [
    *("1.10", "1_000", "1e3", "+5", "-1", "true", "007", "2024-06-01", "0x10", "nan", "inf"),
    *("a=b", "a#b", "a,b", "é", "李明", "läufe/eins", "a b", " ", "runs/50%", "[a]", "{a: b}"),
    *("it's", 'say "no"', "a\\", "\\'", "$HOME", "a$b", "x:y", "choice(a)", "a\nb", "None", ".5"),
    *("_1", "1_", "-", "a\tb", "(1)", "a;b", "!x", "*", "/1/2", "./1e3", "\x7f"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_the_word_as_it_is_written(text: str) -> None:
    assert value(f"name={text}") == text
    assert value(f"place={text}") == text
    assert value(f"files=[{written('', text)[1:]}]") == [text]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("name=null", "null"),
        ("place=null", None),
        ("name='1.10'", "1.10"),
        ('name="a b"', "a b"),
        ("place='~/a'", "~/a"),
        ("files=1_0", "1_0"),
        ("files=[1_0,1e3]", ["1_0", "1e3"]),
        ("names=[ 007 , true,'a,b',null]", ["007", "true", "a,b", "null"]),
        ("names=[]", []),
        ("names=[a=b,é]", ["a=b", "é"]),
        ("parts={a: 1.10, b: s3://x/007}", {"a": "1.10", "b": "s3://x/007"}),
        ("parts.a=1.10", "1.10"),
        ("kinds=[a,b]", ["a", "b"]),
        ("count=1_000", 1000),
        ("sizes=[1,2]", [1, 2]),
    ],
)
def test_kinds_of_text_and_what_stays_hydra_s(word: str, expected: object) -> None:
    assert value(word) == expected
    assert type(value(word)) is type(expected)


def test_the_home_directory_is_meant_by_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert value("place=~/a") == "/home/me/a"
    assert value("files=[~/a,b~]") == ["/home/me/a", "b~"]
    assert value("place=~nobody-of-that-name/a") == "~nobody-of-that-name/a"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("name=1.10,1_000", ['"1.10"', '"1_000"']),
        ("name=a,b c,d=e", ["a", '"b c"', '"d=e"']),
        ("name=choice(007,x)", ["007", "x"]),
        ("names=[a],[b,1e3]", ["[a]", '[b,"1e3"]']),
        ("count=1,2", ["1", "2"]),
        ("count=range(0,3)", ["0", "1", "2"]),
    ],
)
def test_a_sweep_goes_over_texts_as_they_are_written(word: str, expected: list[str]) -> None:
    assert value(word, sweep=True) == expected


@pytest.mark.parametrize("key", ["files", "names", "sizes", "kinds"])
def test_several_values_for_a_list_are_answered_with_the_list(key: str) -> None:
    with pytest.raises(UserError) as caught:
        value(f"{key}=a,b")
    advice = shlex.split(str(caught.value).partition("write ")[2])
    assert advice == [f"{key}=[a,b]"]
    assert value(advice[0]) == ["a", "b"]


def test_commas_within_quotes_and_brackets_do_not_split() -> None:
    assert split("a,'b,c',[d,e],it's,f") == ["a", "'b,c'", "[d,e]", "it's", "f"]
    assert split(r"'a\',b',c") == [r"'a\',b'", "c"]


names = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1)


@example(name="\\\n")  # a backslash before the last line break, of which `$` makes an end
@given(name=names | st.text("ab'\"\\${}=,~[] \n#%(:", min_size=1))
def test_the_line_to_go_on_reads_back_as_it_was_meant(name: str) -> None:
    """By way of the shell, our reading, and Hydra's own grammar alone."""
    line = cli._again(COMMANDS["evaluate"], Path(name))
    program, *words = shlex.split(line)
    invocation = cli.parse(words)
    assert (program, invocation.command.name) == ("firsthand", "evaluate")
    resume, run = parse(invocation.overrides, TOY)
    assert (resume.get_key_element(), resume.value()) == ("resume", True)
    meant = str(Path(name)).replace("${", "\\${")
    if "\\${" not in meant:  # else OmegaConf takes the backslashes away when it composes
        assert run.value() == meant
        alone = OverridesParser.create().parse_override(words[-1])
        assert alone.value() == meant


@pytest.mark.parametrize("name", ["a${b}", "${x}", "\\${a}", "a$", "a\\\\${b"])
def test_what_looks_like_an_interpolation_can_be_named(name: str) -> None:
    from firsthand.cli import settings
    from firsthand.commands import evaluate

    loaded = settings.place("evaluate", evaluate.SCHEMA, [written("run", name)])
    assert loaded == (name, False)
