"""What commands print: tables, one notice a line. rich is loaded on first use."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@cache
def console() -> "Console":
    """The terminal. Output that is not a terminal (a file, a pipe) gets plain text."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """Print one line as it is, without reading markup in it."""
    console().print(message, markup=False)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: the first column to the left, numbers in the others to the right."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    drawn.show_header = any(columns)
    for index, column in enumerate(columns):
        side = "right" if index and column else "left"
        drawn.add_column(column, justify=side, overflow="fold")  # paths are wrapped, never cut
    for row in rows:
        drawn.add_row(*(Text(str(cell)) for cell in row))
    console().print(drawn)


@contextmanager
def spinner(what: str) -> Iterator[None]:
    """Say what is being done while it lasts, where nothing can be counted."""
    if console().is_terminal:
        with console().status(f"{what} …"):
            yield
    else:
        say(f"{what} …")
        yield
