"""Where a model lies: in a directory, in a run that learned it, or on the Hugging Face hub."""

import difflib
from collections.abc import Sequence
from pathlib import Path

HUB_SECONDS = 10.0  # until an answer begins; many firewalls never give one
_SIGNS = ("config.json", "model.safetensors")  # one of them is in every directory of a model
_INNER = (
    ".",
    "policy",
    "best/policy",
    "last/policy",
    "checkpoints/best/policy",
    "checkpoints/last/policy",
)


def within(path: Path) -> Path | None:
    """The directory of a model: this one, or a run's or checkpoint's best, else its last."""
    inside = (path / inner for inner in _INNER)
    return next((p for p in inside if any((p / sign).is_file() for sign in _SIGNS)), None)


def near(path: Path) -> str:
    """What to add to "there is nothing at …": the name in the same folder that is most like it."""
    names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    match = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {path.parent / match[0]}?" if match else ""


def is_hub_id(source: str | Path) -> bool:
    """Whether a name that is nothing here may be `owner/name`: a folder `owner` says it is not."""
    if isinstance(source, Path) or source.count("/") != 1 or source.startswith((".", "/", "~")):
        return False
    return not Path(source).parent.is_dir()


def locate(source: str | Path, files: Sequence[str], what: str) -> Path:
    """The local directory of that name, or of the model in it, or those files from the hub.

    Raises:
        ValueError: there is no such directory or repository.
    """
    path = Path(source)
    if path.is_dir():
        return within(path) or path
    if not is_hub_id(source):
        raise ValueError(f"no {what} at {source}: there is no such directory{near(path)}")
    return from_hub(str(source), files, what)


def from_hub(source: str, files: Sequence[str], what: str, *, first: bool = False) -> Path:
    """The folder of this machine's cache with those of the files that a repository holds, or with
    the first of them alone. Without a network it is what was fetched before.

    Raises:
        ValueError: there is no such repository, or nobody answers.
    """
    from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    nowhere = f"no {what} at {source}: neither a directory nor on the hub"
    try:
        found = HfApi().model_info(source, timeout=HUB_SECONDS)
    except HfHubHTTPError as error:
        raise ValueError(nowhere) from error
    except Exception as error:  # of whichever HTTP library this version of the hub's uses
        cached = [try_to_load_from_cache(source, name) for name in files]
        if kept := [path for path in cached if isinstance(path, str)]:
            return Path(kept[0]).parent
        raise ValueError(
            f"no {what} at {source}: there is no such directory, and the hub does not answer "
            f"({type(error).__name__})"
        ) from error
    there = [name for name in files if name in {s.rfilename for s in found.siblings or ()}]
    wanted = there[:1] if first else there
    try:
        return Path(snapshot_download(source, allow_patterns=wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise ValueError(nowhere) from error
