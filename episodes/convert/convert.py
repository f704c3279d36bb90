"""From a foreign dataset to a corpus: shards that are made once each, an index, and a report.

    OUT/shards/…       units of work (`episodes.convert.shard_job`), each there or not, never half
    OUT/report.json    what was lost and why
    OUT/index/…, OUT/corpus.json    see `episodes.corpus.corpus`; written when all else is there

What a dataset becomes depends on the dataset and the settings alone: not on who made which shard,
nor in what order, nor on how often the making was interrupted. Going on and starting anew are the
same: shards that are there are not made again.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256

from firsthand.common import uri
from firsthand.common.errors import OutputError, UserError
from firsthand.common.executor import Executor, LocalExecutor, WorkerCrash
from firsthand.common.lock import lock
from firsthand.common.progress import progress
from firsthand.common.uri import Uri
from firsthand.episodes.convert.report import ConversionReport
from firsthand.episodes.convert.shard_job import ShardJob, ShardRecord, make_shard, settings_of
from firsthand.episodes.convert.source import Item, Listing, Source, recordings
from firsthand.episodes.convert.splits import By, cut_by, pack, split_recordings
from firsthand.episodes.corpus.index_writer import IndexedShard, write_index
from firsthand.episodes.corpus.manifest import read_manifest
from firsthand.episodes.storage.header import to_json
from firsthand.episodes.tally import Tally

MANIFEST, REPORT, _LOCK = "corpus.json", "report.json", ".lock"
_NAMED = 10  # lost items that a message names
_OURS = re.compile(r"\.?[0-9a-f]{20}\.(h5|json)(\..*)?")  # shards, and halves of them
_HALF = re.compile(r"\..*\.partial")  # what `uri.write` had not finished


@dataclass(frozen=True)
class ConvertSettings:
    """How recordings are packed, split and counted, whatever the dataset."""

    shard_megabytes: float = 64.0
    """About how large a file becomes, in MB."""
    held_out: float = 0.1
    """Share of the groups (videos, children, …) to measure on, 0 to 1, unless the dataset has
    splits of its own; at least one group unless it is 0. Of a single group it is a share of the
    recordings."""
    split_by: By = "group"
    """What is held out whole. `recording` cuts groups, so that what is measured is partly known
    from training."""
    seed: int = 0
    """Decides which groups are held out."""
    max_lost: float = 0.05
    """Share of the items, 0 to 1, that may be lost without the conversion failing."""

    def __post_init__(self) -> None:
        if not self.shard_megabytes > 0:
            raise UserError(f"shard_megabytes must be above 0, not {self.shard_megabytes}")
        if not 0 <= self.held_out < 1:
            raise UserError(f"held_out must be at least 0 and below 1, not {self.held_out}")
        if not 0 <= self.max_lost <= 1:
            raise UserError(f"max_lost must be 0 to 1, not {self.max_lost}")


def convert(
    source: Source,
    out: Uri,
    settings: ConvertSettings | None = None,
    executor: Executor | None = None,
) -> ConversionReport:
    """Make a corpus at `out`, a folder or a URL, or bring one up to date.

    Args:
        executor: who makes the shards; this process by default, which a crash while reading then
            ends. Others must reach both the dataset and `out`.

    Raises:
        UserError: the dataset is empty or contradicts itself, `out` cannot be written or is being
            written by another process, or more than `max_lost` of the items are lost. Finished
            shards stay in any case, and so does an earlier corpus until its successor is whole.
    """
    settings, executor = settings or ConvertSettings(), executor or LocalExecutor(0)
    listing = source.listing()
    _check_names(listing, source.origin)
    folder = uri.join(out, "shards")
    packed = pack(listing.items, settings.shard_megabytes)
    shards = [ShardJob(source, items, folder) for items in packed]
    key = _key(shards, listing, settings)
    with _held(out):
        if (report := _unchanged(out, key, shards)) is not None:
            _sweep(out, shards)
            return _acceptable(report, settings, out)
        records = _make_all(shards, executor)
        counts = {name: count for record in records for name, count in record.counts}
        counted = [(item, counts[item.name]) for item in listing.items]
        by, word = cut_by(counted, settings.held_out, settings.split_by)
        splits = split_recordings(counted, settings.held_out, settings.seed, by)
        lost = [*(lost for record in records for lost in record.lost), *listing.lost]
        items = len(listing.items) + len(listing.lost)
        tallies = [listing.tally, *(record.tally for record in records)]
        report = ConversionReport.of(
            source.origin, items, splits, lost, (*listing.notes, *word), tallies
        )
        uri.write(uri.join(out, REPORT), report.to_json())
        _acceptable(report, settings, out)
        kept = {"key": key, "source": settings_of(source), **asdict(settings)}
        write_index(out, _indexed(shards, splits), origin=source.origin, settings=kept)
        _sweep(out, shards)
    return report


def _check_names(listing: Listing, origin: str) -> None:
    if not listing.items:
        report = ConversionReport.of(
            origin, len(listing.lost), (), listing.lost, listing.notes, [listing.tally]
        )
        why = "".join(f"; {line.strip()}" for line in report.lines()[:_NAMED])
        raise UserError(f"there is nothing in this dataset ({origin}) that could be used{why}")
    repeated = [n for n, count in Counter(item.name for item in listing.items).items() if count > 1]
    if repeated:
        raise UserError(
            f"{len(repeated)} names of the dataset ({origin}) stand for several items each: "
            + ", ".join(repr(name) for name in repeated[:_NAMED])
        )


def _key(shards: Sequence[ShardJob], listing: Listing, settings: ConvertSettings) -> str:
    """Changes with whatever decides the corpus."""
    items = [[item.name, item.group, item.split] for item in listing.items]
    divided = [settings.held_out, settings.split_by, settings.seed]
    listed = [listing.lost, listing.notes, listing.tally.to_json()]
    decided_by = [[shard.key for shard in shards], items, listed, divided]
    return sha256(to_json(decided_by).encode()).hexdigest()


def _unchanged(out: Uri, key: str, shards: Sequence[ShardJob]) -> ConversionReport | None:
    """The report of a corpus that is there, whole as far as sizes tell, and made of just this."""
    report = uri.read(uri.join(out, REPORT))
    try:
        manifest = read_manifest(out)
    except UserError:  # damaged: it is made again
        return None
    if manifest is None or report is None or manifest.settings.get("key") != key:
        return None
    found = uri.sizes(uri.join(out, "shards"))
    sizes = {entry.name.rpartition("/")[2]: entry.bytes for entry in manifest.shards}
    records = {f"{shard.key}.json" for shard in shards}
    whole = sizes.items() <= found.items() and records <= found.keys()
    return ConversionReport.from_json(report) if whole else None


def _make_all(shards: Sequence[ShardJob], executor: Executor) -> list[ShardRecord]:
    """Every shard's record, without summaries, in order."""
    records: dict[str, ShardRecord] = {}
    with progress() as begin:
        bar = begin("converting", sum(len(shard.items) for shard in shards))

        def make(jobs: Sequence[ShardJob]) -> list[tuple[ShardJob, str]]:
            """Make them; returns those whose process died, and how."""
            died = []
            for job, record in executor.run(make_shard, jobs):
                if isinstance(record, WorkerCrash):
                    died.append((job, record.reason))
                else:
                    records[job.key] = record
                    bar.advance(len(job.items))
            return died

        deadly = [replace(job, barred=_deadly(job, executor)) for job, _ in make(shards)]
        for job, reason in make(deadly):
            raise UserError(
                f"{job.folder}/{job.key}.h5 cannot be made: its process was {reason}, though each "
                "of its items can be read; was there too little memory for so many workers?"
            )
    return [records[shard.key] for shard in shards]


def _deadly(shard: ShardJob, executor: Executor) -> dict[str, str]:
    """The items whose reading ends the process, and how it ends."""
    alone = [(shard.source, item) for item in shard.items]
    return {
        item.name: f"ends the process that reads it, which was {result.reason}"
        for (_, item), result in executor.run(_try, alone)
        if isinstance(result, WorkerCrash)
    }


def _try(job: tuple[Source, Item]) -> None:
    with suppress(Exception):
        for _ in recordings(*job, Tally()):
            pass


def _acceptable(report: ConversionReport, settings: ConvertSettings, out: Uri) -> ConversionReport:
    """Refuse a corpus of which too much was lost."""
    count, lost = len(report.lost), report.lost[:_NAMED]
    listed = "; ".join(f"{name} {reason}" for name, reason in lost)
    listed += f"; and {count - _NAMED} more" if count > _NAMED else ""
    if not report.recordings:
        raise UserError(f"none of the {report.items} items can be used: {listed}")
    if report.lost_share > settings.max_lost:
        raise UserError(
            f"{count} of {report.items} items are lost ({report.lost_share:.1%}), more than "
            f"max_lost={settings.max_lost:g}: {listed}. All are in {uri.join(out, REPORT)}; "
            "what could be read is kept, so mend the data or raise max_lost and convert again"
        )
    return report


def _indexed(shards: Sequence[ShardJob], splits: Sequence[str]) -> Iterator[IndexedShard]:
    first = 0
    for shard in shards:
        record = ShardRecord.read(shard.folder, shard.key)
        if record is None:
            raise UserError(f"{shard.folder}: shard {shard.key} has vanished; convert again")
        counts = dict(record.counts)
        groups = [item.group for item in shard.items for _ in range(counts[item.name])]
        if record.summary is not None:
            own = splits[first : first + len(groups)]
            yield IndexedShard(f"shards/{shard.key}.h5", record.summary, groups, own)
        first += len(groups)


def _sweep(out: Uri, keep: Sequence[ShardJob]) -> None:
    """Remove shards of earlier states of the dataset, and halves that a killed process left.

    Not from a URL, where nobody knows who else is at work.
    """
    if uri.is_remote(out):
        return
    names = {f"{shard.key}.{ending}" for shard in keep for ending in ("h5", "json")}
    for folder, ours in ((str(out), _HALF), (uri.join(out, "shards"), _OURS)):
        for name in uri.sizes(folder).keys() - names:
            if ours.fullmatch(name):
                uri.remove(uri.join(folder, name))


@contextmanager
def _held(out: Uri) -> Iterator[None]:
    """Keep other processes of this machine out of a folder until the block ends."""
    if uri.is_remote(out):
        yield
        return
    folder = uri.local(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = set(os.listdir(folder))
        if names and not names & {_LOCK, "shards", MANIFEST}:
            raise OutputError(f"{out} holds something that is no corpus; name another folder")
        file = (folder / _LOCK).open("w")
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror}") from error
    with file:
        if lock(file) is False:
            raise OutputError(f"{out}: another process is converting into it")
        yield
