"""Who acts in an evaluation, and in which arithmetic."""

import json
import shutil
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from firsthand.build.actors import CheckpointActor, actor
from firsthand.cli.main import main
from firsthand.common.errors import UserError
from firsthand.policy.config import PolicyConfig
from firsthand.policy.policy import Policy
from firsthand.policy.statistics import Statistics


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("policy")
    torch.manual_seed(0)
    Policy(PolicyConfig(), Statistics(frames=1)).save_pretrained(path)
    return str(path)


def test_a_checkpoint_acts_in_the_arithmetic_asked_for(checkpoint):
    sizes = {"rgb_static": 96, "rgb_gripper": 64}
    rng = np.random.default_rng(0)
    pictures = {c: rng.integers(0, 256, (s, s, 3), dtype=np.uint8) for c, s in sizes.items()}
    said = {}
    threads = torch.get_num_threads()
    try:
        for precision in (None, "fp32", "bf16", "int8"):
            policy = actor(checkpoint, None, 0, precision)()
            policy.reset("open the drawer")
            said[precision] = policy.select_action({"rgb_obs": pictures, "robot_obs": np.zeros(15)})
    finally:
        torch.set_num_threads(threads)
    assert np.allclose(said["fp32"], said[None], atol=1e-5)
    for precision in ("bf16", "int8"):
        assert not np.array_equal(said[precision], said[None])
        assert np.allclose(said[precision], said[None], atol=0.02)


def test_only_a_checkpoint_has_an_arithmetic(checkpoint):
    with pytest.raises(UserError, match="precision=int8 is for checkpoints, not for actor=expert"):
        actor(None, "expert", 0, "int8")
    assert actor(checkpoint, None, 0, "int8") == CheckpointActor(checkpoint, "int8")


def test_a_checkpoint_is_known_by_what_is_in_it(checkpoint, tmp_path):
    known = actor(checkpoint, None, 0).known_as
    assert known["step"] is None
    digest = sha256((Path(checkpoint) / "model.safetensors").read_bytes()).hexdigest()
    assert known["weights"].startswith(digest[:16] + "-")
    other = tmp_path / "other"
    shutil.copytree(checkpoint, other)
    assert actor(str(other), None, 0).known_as == known
    assert actor(str(other), None, 0, "int8").known_as["weights"] == known["weights"] + " in int8"
    statistics = json.loads((other / "statistics.json").read_text())
    (other / "statistics.json").write_text(json.dumps(statistics | {"frames": 2}))
    changed = actor(str(other), None, 0).known_as["weights"]
    assert changed.split("-")[0] == known["weights"].split("-")[0]
    assert changed != known["weights"]


def test_a_checkpoint_that_moves_on_is_followed_once(checkpoint, tmp_path):
    steps = tmp_path / "checkpoints"
    for step in ("000020", "000040"):
        shutil.copytree(checkpoint, steps / step / "policy")
    (steps / "best").symlink_to("000020")
    found = actor(str(tmp_path), None, 0)
    (steps / "best").unlink()
    (steps / "best").symlink_to("000040")
    assert isinstance(found, CheckpointActor)
    assert (found.path, found.known_as["step"]) == (str(steps / "000020" / "policy"), 20)
    assert found() is found()  # read once, however often it is evaluated


def test_a_camera_less_is_told_before_anything_starts(checkpoint, tmp_path, capsys):
    run = tmp_path / "run"
    words = ["evaluate", f"checkpoint={checkpoint}", "cameras={rgb_static: 96}", f"run={run}"]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "looks through rgb_static, rgb_gripper, and cameras= leaves out rgb_gripper" in said
    assert not run.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class Mine\n  pass", r"cannot be imported: SyntaxError: .*mine_\d\.py, line 1"),
        ("raise ValueError('my config is wrong')", "cannot be imported: ValueError: my config is"),
        ("raise SystemExit(2)", "cannot be imported: SystemExit: 2"),
        ("class P(BaseException): pass\nraise P('core')", "cannot be imported: P: core"),
        ("import a_package_that_is_not_there", "cannot be imported: No module named 'a_package"),
        ("Other = 1", "cannot be imported: .* has no attribute 'Mine'"),
        ("Mine = 3", "is a int, not what makes one: name its class or a function"),
        (
            "class A:\n  def select_action(self, o): pass\n  def __call__(self): pass\nMine = A()",
            "is a A, not what makes one",
        ),
    ],
)
def test_what_cannot_act_is_told_in_one_line(tmp_path, monkeypatch, text, message):
    name = f"mine_{len(message) % 10}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(UserError, match=rf"actor={name}:Mine {message}"):
        actor(None, f"{name}:Mine", 0)


def test_a_class_of_ones_own_is_known_by_its_file_and_not_made(tmp_path, monkeypatch):
    text = "class Mine:\n  def __init__(self): raise RuntimeError('made in vain')\n"
    (tmp_path / "mine_known.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    found = actor(None, "mine_known:Mine", 0)
    assert found.known_as == {"source": sha256(text.encode()).hexdigest()[:16]}
    assert found.cameras == {"rgb_static": 200, "rgb_gripper": 84}


def test_the_expert_is_shown_nothing():
    assert actor(None, "expert", 0).cameras == {}


def test_what_acts_in_many_worlds_is_known_by_its_actor() -> None:
    from firsthand.envs.evaluation.policies import is_batched
    from firsthand.policy.policy import Policy

    class Alone:
        def select_action(self, observation): ...

    class Before(Alone):
        def actor(self, seats): ...

    class Critic(Alone):
        def actor(self, states): ...

    assert [is_batched(kind) for kind in (Policy, Before, Critic, Alone)] == [
        True,
        True,
        False,
        False,
    ]
