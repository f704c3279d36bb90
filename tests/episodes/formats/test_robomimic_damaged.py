"""Demonstrations as people have them: each damaged or odd part costs itself alone."""

import io
import json
import shutil

import h5py
import numpy as np
import pytest
from PIL import Image

from firsthand.common.errors import UserError
from firsthand.episodes.convert.convert import ConvertSettings, convert
from firsthand.episodes.convert.source import read
from firsthand.episodes.formats.robomimic.reader import Robomimic
from firsthand.episodes.tally import Tally

CAMERA = "obs/agentview_image"
FRAMES, STREAMS = 12, 3 * 7  # a camera, five signals and the recorded actions in each demo


@pytest.fixture
def lift(project, tmp_path):
    (tmp_path / "root").mkdir()
    return shutil.copy(project / "tests/data/robomimic/lift.hdf5", tmp_path / "root/lift.hdf5")


def edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def put(path, name, values, demo="data/demo_1", **settings):
    """A dataset in the place of another."""

    def change(file):
        if name in file[demo]:
            del file[demo][name]
        file[demo].create_dataset(name, data=values, **settings)

    edit(path, change)


def shown(path, demo=1):
    with h5py.File(path) as file:
        return file[f"data/demo_{demo}"][CAMERA][()]


def report_of(root, **settings):
    out = root.parent.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    source = Robomimic(root=root.parent, **settings)
    return convert(source, out, ConvertSettings(held_out=0.0, max_lost=1.0))


def losses(report):
    counts = {part.unit: (part.used, part.lost_count) for part in report.parts}
    return counts, [where for part in report.parts for where, *_ in part.lost]


def jpeg(picture, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind)
    return buffer.getvalue()


def variable(pictures):
    cells = np.empty(len(pictures), object)
    cells[:] = [np.frombuffer(jpeg(picture), np.uint8) for picture in pictures]
    return {"values": cells, "dtype": h5py.vlen_dtype(np.uint8)}


def padded(pictures):
    files = [jpeg(picture) for picture in pictures]
    longest = max(map(len, files))
    return {"values": np.stack([np.frombuffer(f.ljust(longest, b"\0"), np.uint8) for f in files])}


CERTAIN = {
    "channels first": lambda p: {"values": p.transpose(0, 3, 1, 2)},
    "fractions": lambda p: {"values": (p / 255).astype(np.float32)},
    "fractions, channels first": lambda p: {"values": (p / 255).transpose(0, 3, 1, 2)},
    "floats to 255": lambda p: {"values": p.astype(np.float32)},
    "wide whole numbers": lambda p: {"values": p.astype(np.int32)},
    "with transparency": lambda p: {"values": np.concatenate([p, p[..., :1]], -1)},
    "PNG of variable length": variable,
    "PNG of a fixed length": padded,
    "PNG as texts": lambda p: {"values": np.array([jpeg(picture) for picture in p], "S")},
}


@pytest.mark.parametrize("change", CERTAIN.values(), ids=CERTAIN)
def test_pictures_are_read_where_it_is_certain_what_they_show(lift, change):
    before = shown(lift)
    values = change(before)
    put(lift, CAMERA, values.pop("values"), **values)
    after = list(read(Robomimic(root=lift)))[1].frames["agentview_image"]
    np.testing.assert_array_equal(after, before)
    assert losses(report_of(lift)) == (
        {"frame": (FRAMES, 0), "signal": (STREAMS, 0)}, []
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_gray_pictures_are_read(lift, shape):
    gray = shown(lift)[..., 0]
    put(lift, CAMERA, gray.reshape(*gray.shape, *shape[1:]))
    after = list(read(Robomimic(root=lift)))[1].frames["agentview_image"]
    np.testing.assert_array_equal(after, np.stack([gray] * 3, -1))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (lambda p: p.astype(np.uint16) * 200, "uint16 from"),
        (lambda p: p / 127.5 - 1, "float64 from -"),
        (lambda p: np.full(p.shape, np.nan), "from nan to nan"),
        (lambda p: p[:1], "1 pictures, but there are 4 actions"),
    ],
)
def test_pictures_that_nobody_can_be_sure_of_cost_their_camera(lift, values, reason):
    put(lift, "obs/wrist_image", shown(lift))
    put(lift, CAMERA, values(shown(lift)))
    report = report_of(lift)
    assert losses(report)[0]["signal"] == (STREAMS, 1)
    assert losses(report)[1] == ["lift.hdf5/demo_1: agentview_image"]
    (loss,) = [loss for part in report.parts for loss in part.lost]
    assert reason in loss[1]
    edit(lift, lambda f: f["data/demo_1/obs"].__delitem__("wrist_image"))
    assert reason in dict(report_of(lift).lost)["lift.hdf5/demo_1"]


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize(
    ("kind", "scale", "odd"),
    [("f4", 255, np.nan), ("f8", 255, -1.0), ("f4", 1, 300), ("u2", 1, 300), ("i4", 1, -1)],
)
def test_one_odd_pixel_costs_its_frame(lift, place, kind, scale, odd):
    before = shown(lift)
    values = (before / scale).astype(kind) if scale > 1 else before.astype(kind)
    values[place, 1, 2, 0] = odd
    put(lift, CAMERA, values)
    report = report_of(lift)
    counts, where = losses(report)
    assert (counts["frame"], counts["signal"]) == ((FRAMES - 1, 1), (STREAMS, 0))
    assert where == [f"lift.hdf5/demo_1: frame {place}"]
    (loss,) = [loss for part in report.parts for loss in part.lost]
    assert loss[1].startswith(f"agentview_image is {values.dtype} from ")
    item = Robomimic(root=lift).listing().items[1]
    parts = [e.frames["agentview_image"] for e in Robomimic(root=lift).read(item, Tally())]
    np.testing.assert_array_equal(np.concatenate(parts), np.delete(before, place, 0))


def test_numbers_are_no_pictures(lift):
    count = len(shown(lift))
    for name, values in {
        "agentview_depth": np.ones((count, 8, 8), np.float32),
        "agentview_segmentation_image": np.ones((count, 8, 8, 1), np.uint8),
        "camera_pose": np.ones((count, 4, 4)),
        "image_embedding": np.ones((count, 512), np.float32),
    }.items():
        put(lift, f"obs/{name}", values)
    assert losses(report_of(lift))[0]["signal"] == (STREAMS + 4, 0)
    assert set(list(read(Robomimic(root=lift)))[1].frames) == {"agentview_image"}


@pytest.mark.parametrize("place", [0, 2])
def test_one_picture_of_another_size_costs_its_frame(lift, place):
    pictures = list(shown(lift))
    pictures[place] = pictures[place][:6, :6]
    values = variable(pictures)
    put(lift, CAMERA, values.pop("values"), **values)
    counts, where = losses(report_of(lift))
    assert (counts["frame"], counts["signal"]) == ((FRAMES - 1, 1), (STREAMS, 0))
    assert where == [f"lift.hdf5/demo_1: frame {place}"]


def test_one_damaged_picture_costs_its_frame(lift):
    values = variable(shown(lift))
    values["values"][2] = np.frombuffer(b"no picture", np.uint8)
    put(lift, CAMERA, values.pop("values"), **values)
    report = report_of(lift)
    assert losses(report) == (
        {"frame": (FRAMES - 1, 1), "signal": (STREAMS, 0)}, ["lift.hdf5/demo_1: frame 2"]
    )  # fmt: skip
    assert report.recordings == {"train": 3, "valid": 1}


@pytest.mark.parametrize(
    ("change", "lost"), [(lambda p: p[:-1], 1), (lambda p: p[[*range(4), 3]], 0)]
)
def test_a_picture_more_or_less_at_the_end(lift, change, lost):
    put(lift, CAMERA, change(shown(lift)))
    assert losses(report_of(lift))[0]["frame"] == (FRAMES - lost, lost)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_signal_that_is_damaged_costs_itself(lift, value):
    edit(lift, lambda f: f["data/demo_1/rewards"].write_direct(np.array([0, value, 0, 0])))
    report = report_of(lift)
    assert losses(report) == (
        {"frame": (FRAMES, 0), "signal": (STREAMS - 1, 1)}, ["lift.hdf5/demo_1: rewards"]
    )  # fmt: skip


def test_a_signal_that_cannot_be_unpacked_costs_itself(lift):
    put(lift, "rewards", np.arange(4.0), chunks=(4,), compression="gzip", fletcher32=True)

    def damage(file):
        file["data/demo_1/rewards"].id.write_direct_chunk((0,), b"damaged!")

    edit(lift, damage)
    assert losses(report_of(lift))[1] == ["lift.hdf5/demo_1: rewards"]


@pytest.mark.parametrize("value", [np.nan, 1e300])
def test_actions_that_are_damaged_cost_their_frame(lift, value):
    """In single precision 1e300 is no number either; as a signal it is kept as it came."""
    with h5py.File(lift) as file:
        actions = file["data/demo_1/actions"][()].astype(np.float64)
    actions[1, 3] = value
    put(lift, "actions", actions)
    report = report_of(lift)
    assert losses(report)[0]["frame"] == (FRAMES - 1, 1)
    signal = [] if np.isfinite(value) else ["lift.hdf5/demo_1: recorded_actions"]
    assert losses(report)[1] == ["lift.hdf5/demo_1: frame 1", *signal]


def test_signals_may_be_called_as_ours(lift):
    put(lift, "obs/state", np.ones((4, 9)))
    put(lift, "obs/recorded_actions", np.ones((4, 2)))
    report = report_of(lift)
    assert losses(report)[0]["signal"] == (STREAMS + 1, 1)
    assert list(read(Robomimic(root=lift)))[1].signals["recorded_state"].shape == (4, 9)


TEXT = h5py.string_dtype()


def masks(file, **names):
    del file["mask"]
    for mask, values in names.items():
        file[f"mask/{mask}"] = values


def test_masks_may_be_of_any_texts(lift):
    names = np.array(["demo_0", "demo_2"], TEXT)
    edit(lift, lambda f: masks(f, valid=names, train=np.array([b"demo_1"])))
    splits = [item.split for item in Robomimic(root=lift).listing().items]
    assert splits == ["valid", "train", "valid"]


def test_masks_that_contradict_lose_nothing(lift):
    """A demo of several splits is measured on rather than learned from."""
    train, valid = np.array([b"demo_0", b"demo_1", b"demo_7"]), np.array(["demo_1"], TEXT)
    odd = {"test": np.ones(3), "odd": np.ones(2), "20_percent": valid}
    edit(lift, lambda f: masks(f, train=train, valid=valid, **odd))
    listing = Robomimic(root=lift).listing()
    assert not listing.lost
    assert [item.split for item in listing.items] == ["train", "valid", ""]
    assert [note.removesuffix(": lift.hdf5") for note in listing.notes[:4]] == [
        "masks that hold no names are not kept (odd, test)",
        "masks that are no splits are not kept (20_percent)",
        "demos of several splits are kept from learning (demo_1)",
        "masks name demos that are not there (demo_7)",
    ]


def test_a_name_in_a_mask_that_is_no_text_costs_itself(lift):
    for names in (np.array([b"demo_0", b"\xff\xfe"]), np.array(["demo_0", b"\xff\xfe"], TEXT)):
        edit(lift, lambda f, names=names: masks(f, valid=names))
        listing = Robomimic(root=lift).listing()
        assert [item.split for item in listing.items] == ["valid", "", ""]
        assert r"masks name demos that are not there (\xff\xfe): lift.hdf5" in listing.notes
        assert not [note for note in listing.notes if note.startswith("masks that")]


@pytest.mark.parametrize("samples", [np.array([4, 4]), "x", h5py.Empty("i8"), np.nan])
def test_a_count_of_samples_that_is_no_number_costs_nothing(lift, samples):
    edit(lift, lambda f: f["data/demo_1"].attrs.update(num_samples=samples))
    report = report_of(lift)
    assert losses(report) == ({"frame": (FRAMES, 0), "signal": (STREAMS, 0)}, [])
    assert "num_samples is no number and not looked at (demo_1): lift.hdf5" in report.notes


@pytest.mark.parametrize("samples", ["4", b"4", np.array([4]), 4.0])
def test_a_count_of_samples_may_be_of_any_type(lift, samples):
    edit(lift, lambda f: f["data/demo_1"].attrs.update(num_samples=samples))
    report = report_of(lift)
    assert report.used == 3
    assert not [note for note in report.notes if "num_samples" in note]


def test_what_becomes_of_actions_is_told_of_those_it_is_true_of(lift):
    put(lift, "actions", np.zeros((4, 6)))
    put(lift, "actions", np.zeros((5, 0)), demo="data/demo_2")
    taken = "actions are OSC_POSE's, with the gripper turned round: lift.hdf5"
    kept = "actions of 0, 6 numbers are kept as a signal, not as actions (demo_1, demo_2)"
    assert Robomimic(root=lift).listing().notes[-2:] == (taken, f"{kept}: lift.hdf5")
    assert Robomimic(root=lift, actions="osc_pose").listing().notes[-1] == taken
    assert [e.actions is None for e in read(Robomimic(root=lift))] == [False, True, True]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("language", "lift it"),
        ("language_instruction", "lift it"),
        ("language_instruction", np.bytes_(b"lift it")),
        ("language_instruction", np.array(["lift it"], TEXT)),
        ("ep_meta", json.dumps({"layout_id": 3, "lang": "lift it"})),
    ],
)
def test_a_demos_own_words_are_read(lift, name, value):
    edit(lift, lambda f: f["data/demo_1"].attrs.update({name: value}))
    assert [e.instruction for e in read(Robomimic(root=lift))] == ["", "lift it", ""]


@pytest.mark.parametrize("values", [b"lift it", np.array(["lift it"] * 4, TEXT)])
def test_words_may_be_a_dataset(lift, values):
    put(lift, "language_instruction", values)
    assert [e.instruction for e in read(Robomimic(root=lift))] == ["", "lift it", ""]


@pytest.mark.parametrize(
    "words",
    [
        {"ep_meta": "{"},
        {"ep_meta": "[1]"},
        {"ep_meta": json.dumps({"lang": 7})},
        {"ep_meta": json.dumps({"lang": "lift \ud83d"})},
        {"ep_meta": json.dumps({"lang": "lift \0"})},
        {"language": b"caf\xe9"},
        {"language": np.bytes_(b"caf\xe9")},
    ],
)
def test_words_that_cannot_be_read_cost_themselves(lift, words):
    edit(lift, lambda f: f["data/demo_1"].attrs.update(words))
    edit(lift, lambda f: f["data/demo_0"].attrs.update(language="push"))
    report = report_of(lift)
    assert losses(report)[0]["sentence"] == (1, 1)
    assert losses(report)[0]["frame"] == (FRAMES, 0)


def test_files_without_observations_are_told(lift):
    for demo in range(3):
        edit(lift, lambda f, d=demo: f[f"data/demo_{d}"].__delitem__("obs"))
    (note,) = [note for note in report_of(lift).notes if "no pictures" in note]
    assert note.startswith("demos hold no pictures, robomimic's dataset_states_to_obs.py")


@pytest.mark.parametrize("name", ["B.HDF5", "b.H5", "b.h5"])
def test_endings_may_be_of_any_case(lift, name):
    shutil.copy(lift, lift.parent / name)
    for hidden in ("._lift.hdf5", ".lift.hdf5"):
        (lift.parent / hidden).write_bytes(b"Mac OS X")
    report = report_of(lift)
    assert (report.items, report.used) == (6, 6)


OSC = {"type": "OSC_POSE", "input_type": "delta"}
PARTS = {"type": "BASIC", "body_parts": {"right": OSC | {"gripper": {"type": "GRIP"}}}}


def controlled(path, controller):
    kwargs = {"control_freq": 20, "controller_configs": controller}
    edit(path, lambda f: f["data"].attrs.update(env_args=json.dumps({"env_kwargs": kwargs})))
    return next(read(Robomimic(root=path))).actions


def test_controllers_of_robosuite_1_5_are_known(lift):
    before = next(read(Robomimic(root=lift))).actions
    for controller in (PARTS, [PARTS], PARTS["body_parts"]["right"]):
        np.testing.assert_array_equal(controlled(lift, controller), before)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "OSC_POSITION"},
        {"type": "JOINT_POSITION"},
        OSC | {"input_type": "absolute"},
        OSC | {"control_delta": False},
    ],
)
def test_other_controllers_are_not(lift, part):
    assert controlled(lift, {"type": "BASIC", "body_parts": {"right": part}}) is None
    assert controlled(lift, {"type": "BASIC", "body_parts": {"left": OSC, "right": OSC}}) is None
    assert controlled(lift, {"type": "BASIC", "body_parts": [part]}) is None


def test_what_a_file_without_attributes_means_can_be_said(lift):
    """LIBERO's as OpenVLA's script writes them again."""
    before = next(read(Robomimic(root=lift)))
    edit(lift, lambda f: f["data"].attrs.__delitem__("env_args"))
    notes = Robomimic(root=lift, fps=20.0).listing().notes
    assert "source.actions=osc_pose" in notes[-1]
    assert "source.upside_down=true" in notes[-1]
    said = Robomimic(root=lift, fps=20.0, actions="osc_pose", upside_down=True)
    after = next(read(said))
    np.testing.assert_array_equal(after.actions, before.actions)
    np.testing.assert_array_equal(
        after.frames["agentview_image"], before.frames["agentview_image"][:, ::-1]
    )
    edit(lift, lambda f: f["data"].attrs.update(env_args="{"))
    np.testing.assert_array_equal(next(read(said)).actions, before.actions)
    with pytest.raises(UserError, match="fps=20"):
        next(read(Robomimic(root=lift)))
