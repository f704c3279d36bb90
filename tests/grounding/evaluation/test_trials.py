"""Trial files, and what is made of choices."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from firsthand.common.errors import UserError
from firsthand.grounding.evaluation.forced_choice import forced_choice
from firsthand.grounding.evaluation.trials import ForcedChoiceTrial, locate, read_trials
from tests.helpers.trials import make_trials, write_trials

PICTURES = {name: [f"eval/test/{name}/{name}_{i}.jpg" for i in range(5)] for name in "dcabe"}
NAMES = st.text("abcxyz,\"' é\n", min_size=1, max_size=6).filter(str.strip)


def test_trials_are_drawn_fairly_and_the_same_for_a_seed():
    trials = make_trials(PICTURES, each=200)
    assert trials == make_trials(PICTURES, each=200)
    assert trials != make_trials(PICTURES, each=200, seed=1)
    assert [trial.word for trial in trials[::200]] == list("abcde")
    for trial in trials:
        assert trial.categories[0] == trial.word
        assert len(set(trial.categories)) == 4
        assert all(
            f"/{c}/" in image for c, image in zip(trial.categories, trial.images, strict=True)
        )
    foils = [foil for trial in trials[:200] for foil in trial.categories[1:]]
    assert all(120 <= foils.count(foil) <= 180 for foil in "bcde")  # of 600
    assert len({trial.images[0] for trial in trials[:200]}) == 5
    assert {len(trial.images) for trial in make_trials(PICTURES, choices=2, each=3)} == {2}


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_written_trials_are_read_again(suffix, tmp_path):
    trials = make_trials(PICTURES, each=3)
    path = tmp_path / f"trials{suffix}"
    write_trials(path, trials)
    assert read_trials(path) == trials
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@given(st.lists(st.lists(st.tuples(NAMES, NAMES), min_size=2, max_size=4), min_size=1, max_size=4))
def test_any_names_survive(tmp_path_factory, shown):
    trials = []
    for pictures in shown:
        word = pictures[0][0]
        foils = [(c if c != word else c + "!", image) for c, image in pictures[1:]]
        categories, images = zip(*[pictures[0], *foils], strict=True)
        trials.append(ForcedChoiceTrial(word, categories, images))
    for suffix in (".json", ".csv"):
        path = tmp_path_factory.mktemp("trials") / f"trials{suffix}"
        write_trials(path, trials)
        assert read_trials(path) == trials


def test_upstreams_layouts_are_read(tmp_path):
    row = {
        "trial_num": 0,
        "target_category": "ball",
        "target_img_filename": "/data/eval/test/ball/img_1.jpeg",
        "foil_categories": ["basket", "puzzle", "chair"],
        "foil_img_filenames": ["b.jpeg", "p.jpeg", "c.jpeg"],
    }
    wanted = ForcedChoiceTrial(
        "ball",
        ("ball", "basket", "puzzle", "chair"),
        ("/data/eval/test/ball/img_1.jpeg", "b.jpeg", "p.jpeg", "c.jpeg"),
    )
    path = tmp_path / "eval_test.json"
    for content in ({"data": [row]}, [row]):
        path.write_text(json.dumps(content))
        assert read_trials(path) == [wanted]
    write_trials(path, [wanted, wanted])
    assert json.loads(path.read_text()) == {"data": [row, row | {"trial_num": 1}]}
    table = tmp_path / "labeled_s.csv"
    table.write_text(
        "trial_id,target_category,real_category,image\n"
        "7,ball,chair,c.jpeg\n8,cat,cat,k.jpeg\n7,ball,ball,a.jpeg\n8,cat,ball,b.jpeg\n"
    )
    assert read_trials(table) == [
        ForcedChoiceTrial("ball", ("ball", "chair"), ("a.jpeg", "c.jpeg")),
        ForcedChoiceTrial("cat", ("cat", "ball"), ("k.jpeg", "b.jpeg")),
    ]


GOOD = {
    "target_category": "a",
    "target_img_filename": "a.jpg",
    "foil_categories": ["b"],
    "foil_img_filenames": ["b.jpg"],
}
HEAD = "trial_id,target_category,real_category,image\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", "[", "is no readable JSON"),
        ("x.json", "{}", "holds no list of trials"),
        ("x.json", '{"data": []}', "holds no list of trials"),
        ("x.json", json.dumps([GOOD, 3]), "trial 1: is no table"),
        ("x.json", json.dumps([GOOD | {"target_category": 3}]), "target_category is 3, no text"),
        ("x.json", json.dumps([{**GOOD, "foil_categories": "b"}]), "foil_categories is 'b', no li"),
        ("x.json", json.dumps([GOOD | {"foil_categories": []}]), "has 0 foil_categories and 1 foi"),
        ("x.csv", "trial_id,image\n", "lacks the column 'target_category'"),
        ("x.csv", HEAD, "holds no trials"),
        ("x.csv", HEAD + "0,a,b,x\n0,a,c,y\n", "trial 0: 0 of its 2 pictures show a a"),
        ("x.csv", HEAD + "0,a,a,x\n0,a,a,y\n", "trial 0: 2 of its 2 pictures show a a"),
        ("x.csv", HEAD + "0,a,a,x\n0,b,b,y\n", "trial 0: has several target categories"),
        ("x.csv", HEAD + "0,a,a\n", "line 2 has 3 fields"),
    ],
)
def test_a_damaged_file_is_named(name, content, message, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=f"{name}: .*{message}"):
        read_trials(tmp_path / name)


def test_pictures_are_found_by_name_or_by_category(tmp_path):
    for name in ("eval/ball/a.jpg", "ball/x.jpg", "chair/c.jpg", "eval/test/ball/y.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    trial = ForcedChoiceTrial(
        "ball",
        ("ball", "ball", "chair"),
        ("eval/ball/a.jpg", "/home/others/ball/x.jpg", "c.jpg"),
    )
    places = ["eval/ball/a.jpg", "ball/x.jpg", "chair/c.jpg"]
    assert locate(tmp_path, trial) == [tmp_path / place for place in places]
    elsewhere = ForcedChoiceTrial(
        "ball", ("ball",) * 2, ("/misc/S/eval/test/ball/y.jpg", "/S/ball/x.jpg")
    )
    assert locate(tmp_path, elsewhere) == [tmp_path / "eval/test/ball/y.jpg", tmp_path / places[1]]
    with pytest.raises(UserError, match=r"b/none\.jpg: there is no such picture"):
        locate(tmp_path, ForcedChoiceTrial("b", ("b", "b"), ("/S/b/none.jpg", "x.jpg")))
    with pytest.raises(UserError, match=r"none\.jpg: there is no such picture, nor .*b/none\.jpg"):
        locate(tmp_path, ForcedChoiceTrial("a", ("a", "b"), ("ball/x.jpg", "none.jpg")))
    with pytest.raises(UserError, match="does not name a file inside"):
        locate(tmp_path, ForcedChoiceTrial("a", ("a", "b"), ("../x.jpg", "none.jpg")))


def vectors(names: list[str], seed: int) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return {name: torch.randn(8, generator=random) for name in names}


@pytest.mark.parametrize("choices", [2, 4, 5])
def test_choices_are_what_plain_loops_say(choices):
    trials = make_trials(PICTURES, choices=choices, each=20)
    images = vectors([name for names in PICTURES.values() for name in names], 0)
    words = vectors(list(PICTURES), 1)
    found = forced_choice(trials, images, words)
    right = []
    for trial in trials:
        near = [float(images[name].double() @ words[trial.word].double()) for name in trial.images]
        right.append(max(near) == near[0])
    assert found.credit == tuple(map(float, right))
    assert found.accuracy == pytest.approx(np.mean(right))
    assert found.by_word["b"] == pytest.approx(np.mean(right[20:40]))
    assert list(found.by_word) == list("abcde")
    assert found.chance == pytest.approx(1 / choices)


def test_a_model_that_sees_no_difference_is_at_chance():
    """Upstream takes the first of equals, which is the target: such a model would be perfect."""
    trials = make_trials(PICTURES, each=5)
    same = dict.fromkeys([n for names in PICTURES.values() for n in names], torch.ones(8))
    found = forced_choice(trials, same, dict.fromkeys(PICTURES, torch.ones(8)))
    assert found.accuracy == found.chance == 0.25
    lost = dict.fromkeys(same, torch.full((8,), torch.nan))
    assert forced_choice(trials, lost, vectors(list(PICTURES), 0)).accuracy == 0


def test_what_is_no_choice_is_refused():
    with pytest.raises(ValueError, match="5 categories do not make 6 choices"):
        make_trials(PICTURES, choices=6)
    with pytest.raises(ValueError, match="there is no picture of b"):
        make_trials(PICTURES | {"b": []})
    with pytest.raises(ValueError, match="1 pictures of 1 categories are no choice"):
        ForcedChoiceTrial("a", ("a",), ("x",))
    trial = ForcedChoiceTrial("a", ("a", "b"), ("x", "y"))
    with pytest.raises(ValueError, match="the picture y has no vector"):
        forced_choice([trial], vectors(["x"], 0), vectors(["a"], 0))
    with pytest.raises(ValueError, match="the word 'a' has no vector"):
        forced_choice([trial], vectors(["x", "y"], 0), {})
    with pytest.raises(ValueError, match="no trials"):
        forced_choice([], {}, {})
