"""The home's test sets: what a trial shows is there to be seen, and clips differ in order alone."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from firsthand.episodes.jpeg import decode_jpeg
from firsthand.synthetic.home.behaviour.verbs import REVERSED, VERBS
from firsthand.synthetic.home.camera.view import HeadCamera, HomeFrame
from firsthand.synthetic.home.test_sets import clips, evaluation
from firsthand.synthetic.home.test_sets import word_order as order
from firsthand.synthetic.home.test_sets.evaluation import CATEGORIES, CLEAR, make_evaluation
from firsthand.synthetic.home.test_sets.objects import draw_object
from firsthand.synthetic.home.test_sets.trials import category_trials, object_trials
from firsthand.synthetic.home.world.nouns import NOUNS

SMALL = ("ball", "carrot", "chair", "bunny")


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """Test sets as large as tests want them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "CATEGORIES", SMALL)
        patch.setattr(evaluation, "OBJECTS", SMALL)
        patch.setattr(evaluation, "QUOTAS", {"dev": 4, "test": 6, "rooms": 2})
        patch.setattr(evaluation, "FOILS", {"dev": (3,), "test": (3, 2), "rooms": (3,)})
        patch.setattr(evaluation, "TRIALS", 10)
        patch.setattr(evaluation, "IMAGES", 3)
        for module in (evaluation, clips):
            patch.setattr(module, "CLIP_NOUNS", ("ball", "duck"))
        patch.setattr(evaluation, "CLIPS", 2)
        patch.setattr(evaluation, "PAIRS", (("ball", "car"),))
        patch.setattr(evaluation, "SCENES", 8)
        patch.setattr(order, "ACTIVITIES", 250)
        patch.setattr(order, "BOTH", 0.01)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluation")
    make_evaluation(0, 32, 1, out, out / "making")
    return out


def trials(path: Path) -> list[dict]:
    return json.loads(path.read_text())["data"]


def test_there_are_enough_categories() -> None:
    assert len(CATEGORIES) >= 22
    assert set(CATEGORIES) <= set(NOUNS)


@pytest.mark.parametrize(
    ("name", "folder", "foils"),
    [
        ("eval_dev", "eval/dev", 3),
        ("eval_test", "eval/test", 3),
        ("eval_test_2_foils", "eval/test", 2),
        ("eval_new_rooms", "eval/rooms", 3),
        ("eval_object_categories", "object_categories", 3),
    ],
)
def test_trials_are_in_the_official_layout(made: Path, name: str, folder: str, foils: int) -> None:
    found = trials(made / f"{name}.json")
    count = 3 * 5 if folder == "object_categories" else 10
    assert Counter(t["target_category"] for t in found) == dict.fromkeys(SMALL, count)
    for trial in found:
        assert set(trial) == {"trial_num", "target_category", "target_img_filename",
                              "foil_categories", "foil_img_filenames"}  # fmt: skip
        categories = [trial["target_category"], *trial["foil_categories"]]
        names = [trial["target_img_filename"], *trial["foil_img_filenames"]]
        assert len(set(categories)) == len(names) == foils + 1
        for category, path in zip(categories, names, strict=True):
            assert path.startswith(f"{folder}/{category}/")
            assert decode_jpeg((made / path).read_bytes()).shape[2] == 3


def test_what_a_category_is_called_is_in_clear_view(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every picture stored is one of which the segmentation shows enough of the category."""
    drawn: list[tuple[list[str], HomeFrame]] = []
    draw = HeadCamera.draw

    def watched(camera: HeadCamera, frame: int) -> HomeFrame:
        view = draw(camera, frame)
        drawn.append(([thing.noun for thing in camera.scene.things], view))
        return view

    kept: list[np.ndarray] = []
    monkeypatch.setattr(HeadCamera, "draw", watched)
    monkeypatch.setattr(evaluation, "encode_jpeg", lambda rgb, _: kept.append(rgb) or b"")
    (tmp_path / "eval/test/carrot").mkdir(parents=True)
    evaluation._draw_frames("test", 1, 48, 8, tmp_path, SMALL.index("carrot"))
    assert len(kept) >= 8
    for picture in kept:
        nouns, view = next(item for item in drawn if item[1].rgb is picture)
        shares = dict(zip(nouns, view.shares, strict=True))
        assert max(shares, key=lambda noun: shares[noun]) == "carrot"
        assert shares["carrot"] * 48 * 48 >= CLEAR * 48 * 48 >= 50


def test_things_on_white_are_whole_and_alone() -> None:
    for noun in list(NOUNS)[::5]:
        picture = draw_object(0, noun, 1, 64)
        edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        assert (edge == 255).all()
        assert 0.02 < (picture.min(2) < 230).mean() < 0.8
        assert not np.array_equal(picture, draw_object(0, noun, 2, 64))


def test_opposite_verbs_show_the_same_pictures_backwards(made: Path) -> None:
    for noun in ("ball", "duck"):
        for verb, other in REVERSED.items():
            for take in range(2):
                folder = made / "verb_clips" / noun
                forth = [p.read_bytes() for p in sorted(folder.glob(f"{verb}_{take:02}_*"))]
                back = [p.read_bytes() for p in sorted(folder.glob(f"{other}_{take:02}_*"))]
                assert len(forth) >= 8
                assert forth == back[::-1] != back


def test_verbs_are_judged_with_the_noun_held_fixed(made: Path) -> None:
    found = trials(made / "eval_verbs.json")
    counts = Counter((t["noun"], t["target_verb"]) for t in found)
    assert counts == {(noun, verb): 2 for noun in ("ball", "duck") for verb in VERBS}
    backwards = trials(made / "eval_verbs_reversed.json")
    assert {t["target_verb"] for t in backwards} == set(REVERSED)
    for trial in found + backwards:
        verbs = [trial["target_verb"], *trial["foil_verbs"]]
        clips = [trial["target_frame_filenames"], *trial["foil_frame_filenames"]]
        assert len(set(verbs)) == len(clips) == (4 if trial in found else 2)
        for verb, clip, still in zip(verbs, clips, trial["still"], strict=True):
            assert clip == sorted(clip)
            assert all(f"verb_clips/{trial['noun']}/{verb}_" in name for name in clip)
            assert all((made / name).exists() for name in clip)
            assert 0 <= still < len(clip)
    assert all(t["foil_verbs"] == [REVERSED[t["target_verb"]]] for t in backwards)


def test_word_order_is_judged_by_pictures_that_are_there(made: Path) -> None:
    found = trials(made / "eval_word_order.json")
    assert [trial["trial_num"] for trial in found] == list(range(len(found)))
    assert found
    for trial in found:
        assert trial["nouns"] == ["ball", "car"]
        for name in trial["img_filenames"]:
            assert decode_jpeg((made / name).read_bytes()).shape == (32, 32, 3)


def test_trials_come_again_from_their_seed() -> None:
    pictures = {noun: [f"{noun}_{k}" for k in range(5)] for noun in SMALL}
    one, two = (category_trials(pictures, 5, 3, np.random.default_rng(7)) for _ in range(2))
    assert one == two != category_trials(pictures, 5, 3, np.random.default_rng(8))
    objects = object_trials(pictures, 5, np.random.default_rng(7))["data"]
    targets = Counter(trial["target_img_filename"] for trial in objects)
    assert set(targets.values()) == {5}
    assert [trial["trial_num"] for trial in objects] == list(range(100))


def test_what_was_made_before_a_kill_is_kept(made: Path, tmp_path: Path) -> None:
    """A piece whose ledger or pictures are not all there is made again, and no other."""
    out = tmp_path / "killed"
    shutil.copytree(made, out)
    (out / "making/test/ball.json").unlink()
    (out / "eval/dev/chair/chair_0001.jpeg").write_bytes(b"")  # a machine that lost power
    (out / "eval_verbs.json").unlink()
    whole = out / "eval/rooms/bunny/bunny_0000.jpeg"
    whole.write_bytes(len(whole.read_bytes()) * b"x")
    make_evaluation(0, 32, 1, out, out / "making")
    assert whole.read_bytes()[:1] == b"x"
    shutil.copy(made / whole.relative_to(out), whole)
    assert files(out) == files(made)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_test_sets_are_smaller_for_fewer_hours(tmp_path: Path, monkeypatch) -> None:
    asked: dict[str, int] = {}

    def taken(split, seed, size, quota, out, number):
        asked[split] = quota
        return ["a.jpeg"]

    def painted(seed, size, count, out, number):
        asked["objects"] = count
        return ["a.jpg"]

    def filmed(seed, size, takes, out, number):
        asked["takes"] = takes
        return {verb: [["a.jpg"]] for verb in VERBS}

    def ordered(seed, size, scenes, out, number):
        asked["scenes"] = scenes
        return []

    monkeypatch.setattr(evaluation, "QUOTAS", {"dev": 200, "test": 100, "rooms": 40})
    monkeypatch.setattr(evaluation, "SCENES", 40)
    monkeypatch.setattr(evaluation, "CLIPS", 10)
    monkeypatch.setattr(evaluation, "IMAGES", 15)
    monkeypatch.setattr(evaluation, "_draw_frames", taken)
    monkeypatch.setattr(evaluation, "_draw_objects", painted)
    monkeypatch.setattr(evaluation, "make_clips", filmed)
    monkeypatch.setattr(evaluation, "make_word_order_trials", ordered)

    def sizes(share: float) -> list[int]:
        out = tmp_path / str(share)
        make_evaluation(0, 32, 1, out, out / "making", share)
        return [asked[name] for name in ("dev", "test", "rooms", "objects", "takes", "scenes")]

    assert sizes(1.0) == sizes(2.0) == [200, 100, 40, 15, 10, 40]
    assert sizes(0.5) == [100, 50, 20, 8, 5, 20]
    assert sizes(0.01) == [10, 10, 10, 3, 2, 4]
