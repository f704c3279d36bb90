"""What a foreign dataset offers to conversion: a list of items, each read on its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from firsthand.common.errors import UserError
from firsthand.episodes.episode import Episode
from firsthand.episodes.jpeg import EncodedEpisode
from firsthand.episodes.tally import Tally


@dataclass(frozen=True)
class Item:
    """A part of a dataset that is read, and if need be lost, on its own: a video, a trajectory.

    Attributes:
        name: unique in its dataset and the same on every machine: what reports call it.
        group: what must not be cut by a split: a video, a child, a participant.
        version: changes with whatever decides what the item becomes (sizes and times of its
            files, its annotations); an item whose version has not changed is not read again.
        megabytes: a guess at the size of its recordings, which decides the shards.
        split: the dataset's own split, or "" if it leaves that to us.
        detail: what the reader needs to find the item again, as plain JSON values.
    """

    name: str
    group: str
    version: str
    megabytes: float = 1.0
    split: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """Everything a dataset claims to hold.

    Attributes:
        items: what can be tried, in a fixed order.
        lost: what is known not to be usable without trying: its name and the reason.
        notes: what is odd but costs nothing, in words: repeated or contradictory annotations.
        tally: parts of items that were counted while listing: rows of tables, sentences.
    """

    items: tuple[Item, ...]
    lost: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    tally: Tally = field(default_factory=Tally)


@runtime_checkable
class Source(Protocol):
    """A foreign dataset. Sources are frozen dataclasses and travel to other machines by pickle."""

    @property
    def origin(self) -> str:
        """The format's name: what recordings say they come from."""
        ...

    def listing(self) -> Listing:
        """Find the items, cheaply: no pictures are read.

        Raises:
            UserError: the dataset cannot be read at all.
        """
        ...

    def read(self, item: Item, tally: Tally) -> Iterator[Episode | EncodedEpisode]:
        """The recordings in an item, one in memory at a time.

        Args:
            tally: told of the parts that cannot be used, which cost nothing but themselves.

        Raises:
            UserError: the reason why the item cannot be used (without its name).
        """
        ...


def read(source: Source) -> Iterator[Episode]:
    """Every recording of a dataset, decoded.

    Raises:
        UserError: names the first item that cannot be used. (Conversion goes on with the others.)
    """
    for item in source.listing().items:
        try:
            for episode in recordings(source, item, Tally()):
                yield episode.decode() if isinstance(episode, EncodedEpisode) else episode
        except UserError as error:
            raise UserError(f"{item.name}: {error}") from None


def recordings(source: Source, item: Item, tally: Tally) -> Iterator[Episode | EncodedEpisode]:
    """The recordings in an item, each with the format and the item that it came from."""
    for episode in source.read(item, tally):
        yield replace(
            episode, source={"origin": source.origin, "item": item.name, **episode.source}
        )
