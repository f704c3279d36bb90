"""Every file of every format, damaged in every way: nothing runs, stalls or is lost in silence."""

from pathlib import Path

import pytest

from firsthand.episodes.untrusted import hdf5
from tests.helpers.damage import DESTROY, HURT, Outcome, outcome
from tests.helpers.foreign import FORMATS

DESTROYED = [
    (name, file, damage)
    for name, form in FORMATS.items()
    for file in form.needed
    for damage in DESTROY
]
HURTS = [
    (name, file, damage)
    for name, form in FORMATS.items()
    for file in form.needed + form.extra
    for damage in HURT
]


@pytest.fixture(autouse=True)
def _stall_briefly(monkeypatch) -> None:
    """Some flipped bytes let HDF5 run for ever, until it is stopped."""
    monkeypatch.setattr(hdf5, "PROBE_SECONDS", 2)


@pytest.fixture(scope="session")
def sound(tmp_path_factory) -> dict[str, Outcome]:
    """What becomes of the datasets as they are."""
    outcomes = {}
    for name, form in FORMATS.items():
        root = tmp_path_factory.mktemp("sound") / "root"
        form.make(root)
        outcomes[name] = outcome(form.source(root), root)
    return outcomes


def damaged(tmp_path: Path, name: str, file: str, damage) -> Outcome:
    root = tmp_path / "root"
    FORMATS[name].make(root)
    damage(root / file)
    return outcome(FORMATS[name].source(root), root)


@pytest.mark.parametrize("name", FORMATS)
def test_sound_datasets_lose_nothing(sound, name):
    assert not sound[name].refused
    assert not sound[name].lost
    assert sound[name].recordings > 1


@pytest.mark.parametrize(("name", "file", "damage"), DESTROYED)
def test_what_is_destroyed_is_told(sound, tmp_path, name, file, damage):
    found = damaged(tmp_path, name, file, DESTROY[damage])
    if found.refused:
        named = (str(tmp_path / "root"), Path(file).name, "nothing in this dataset")
        assert any(name in found.refused for name in named)
    else:
        assert found.lost or found.notes != sound[name].notes


@pytest.mark.parametrize(("name", "file", "damage"), HURTS)
def test_what_is_hurt_is_told_or_whole(sound, tmp_path, name, file, damage):
    found = damaged(tmp_path, name, file, HURT[damage])
    if found.recordings < sound[name].recordings:
        assert found.refused or found.lost or found.notes != sound[name].notes
