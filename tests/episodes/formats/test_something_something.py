"""Something-Something V2 in small: its documented fields, every row made up."""

import json

import numpy as np
import pytest

from firsthand.common.errors import UserError
from firsthand.episodes.convert.source import read
from firsthand.episodes.formats.something_something import SomethingSomething
from tests.helpers.films import moving, write_film


def label(number, text, template, *things):
    return {"id": str(number), "label": text, "template": template, "placeholders": list(things)}


@pytest.fixture
def something(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "20bn-something-something-v2").mkdir()
    for number in (45, 30, 2):
        write_film(
            tmp_path / "20bn-something-something-v2" / f"{number}.webm",
            24,
            codec="libvpx-vp9",
            rate=12,
            deadline="realtime",
        )
    train = [
        label(
            45, "putting wood onto cable", "Putting [something] onto [something]", "wood", "cable"
        ),
        label(
            30, "pulling tin from right to left", "Pulling [something] from right to left", "tin"
        ),
        label(7, "holding a pen", "Holding [something]", "a pen"),
    ]
    valid = [
        label(2, "pretending to pick a pillow up", "Pretending to pick [something] up", "a pillow")
    ]
    (tmp_path / "labels" / "train.json").write_text(json.dumps(train))
    (tmp_path / "labels" / "validation.json").write_text(json.dumps(valid))
    (tmp_path / "labels" / "test.json").write_text('[{"id": "9"}]')
    return tmp_path


def test_something_something(something):
    source = SomethingSomething(root=something, size=48)
    listing = source.listing()
    assert [(i.name, i.split) for i in listing.items] == [
        ("45", "train"),
        ("30", "train"),
        ("2", "valid"),
    ]
    assert listing.notes == ("1 labelled videos are not in the folder",)
    episodes = list(read(source))
    assert [e.instruction for e in episodes] == [
        "putting wood onto cable",
        "pulling tin from right to left",
        "pretending to pick a pillow up",
    ]
    assert [len(e) for e in episodes] == [24, 24, 24]
    frame = episodes[0].frames["rgb_static"][11].astype(int)
    assert np.abs(frame - moving(11)[:, 8:56]).mean() < 12


def test_something_something_under_its_long_names(something):
    (something / "labels" / "train.json").rename(something / "something-something-v2-train.json")
    (something / "20bn-something-something-v2").rename(something / "videos")
    assert len(SomethingSomething(root=something).listing().items) == 3
    (something / "something-something-v2-train.json").write_text('{"id": "45"}')
    (something / "labels" / "validation.json").unlink()
    with pytest.raises(UserError, match="must be a list of labels, each with id and label"):
        SomethingSomething(root=something).listing()


def test_something_something_labelled_twice(something):
    rows = [label(45, "a", "a"), label(45, "b", "b"), label("../x", "c", "c")]
    (something / "labels" / "train.json").write_text(json.dumps(rows))
    lost = dict(SomethingSomething(root=something).listing().lost)
    assert lost["45 (row 1 of train)"] == "is labelled twice"
    assert "does not name a file inside" in lost["../x"]


def test_a_label_without_text_costs_its_video(something):
    path = something / "labels" / "train.json"
    rows = json.loads(path.read_text())
    del rows[0]["label"]
    bad = [
        {"label": "nothing"},
        7,
        *(label(3, "x", "x") | {"id": n} for n in (None, ["1"], "", True)),
    ]
    rows[1] = label(30, "half \ud83d", "x") | {"id": 30}
    path.write_text(json.dumps([*rows, *bad]))
    listing = SomethingSomething(root=something).listing()
    assert [item.name for item in listing.items] == ["2"]
    assert listing.lost == (
        ("45 (row 0 of train)", "has no label"),
        ("30 (row 1 of train)", "its label holds a character that is not text"),
        *((f"row {number} of train", "has no id") for number in range(3, 9)),
    )
    assert listing.notes == ("1 labelled videos are not in the folder",)


@pytest.mark.parametrize("content", ['{"a":', '{"2": "x"}', ""])
def test_damaged_labels_to_learn_from_cost_themselves(something, content):
    (something / "labels" / "train.json").write_text(content)
    listing = SomethingSomething(root=something).listing()
    assert [item.name for item in listing.items] == ["2"]
    ((where, why),) = listing.lost
    assert where == "labels of train"
    assert "train.json: " in why


@pytest.mark.parametrize("content", ['{"a":', '{"2": "x"}', ""])
def test_damaged_labels_of_the_validation_cost_themselves(something, content):
    (something / "labels" / "validation.json").write_text(content)
    listing = SomethingSomething(root=something).listing()
    assert [item.name for item in listing.items] == ["45", "30"]
    ((where, why),) = listing.lost
    assert where == "labels of valid"
    assert "validation.json: " in why
    (something / "labels" / "train.json").unlink()
    with pytest.raises(UserError, match=r"holds no .*train\.json.*validation\.json: "):
        SomethingSomething(root=something).listing()
