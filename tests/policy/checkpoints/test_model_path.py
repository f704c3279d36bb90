"""A policy is found in whatever holds it, and a name that is nothing is told at once."""

import socket
import threading
from pathlib import Path

import pytest

from firsthand.policy.checkpoints import model_path
from firsthand.policy.policy import Policy
from tests.policy.conftest import make, tiny


@pytest.fixture
def hub(monkeypatch):
    """A hub that does what the test says: refuses, or takes calls and never answers."""
    import huggingface_hub

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    def is_like(answer) -> None:
        monkeypatch.setattr(huggingface_hub.HfApi, "model_info", answer)

    return is_like


def never(*_args, **_kwargs):
    raise AssertionError("the hub was asked")


@pytest.fixture
def saved(tmp_path, monkeypatch) -> Path:
    """`runs/acting/checkpoints`, whose best and last are different steps."""
    monkeypatch.chdir(tmp_path)
    folder = Path("runs/acting/checkpoints")
    for step, name in (("000001", "best"), ("000002", "last")):
        make(tiny()).save_pretrained(folder / step / "policy")
        (folder / name).symlink_to(step)
    return folder


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("runs/acting", "checkpoints/best/policy"),
        ("runs/acting/checkpoints", "best/policy"),
        ("runs/acting/checkpoints/last", "policy"),
        ("runs/acting/checkpoints/000002/policy", "."),
    ],
)
def test_a_run_and_its_parts_are_taken_for_their_policy(saved, name, found, hub) -> None:
    hub(never)
    assert model_path.locate(name, (), "policy") == Path(name) / found
    assert isinstance(Policy.from_pretrained(name), Policy)
    (saved / "best").unlink()
    assert model_path.locate("runs/acting", (), "policy") == saved / "last/policy"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("runs/actng", "did you mean runs/acting?"),
        ("runs/acting/checkponts", "did you mean runs/acting/checkpoints?"),
        ("./runs/actin", "did you mean runs/acting?"),
        ("run", "did you mean runs?"),
        ("runs/zzz", "there is no such directory"),
    ],
)
def test_a_mistyped_path_is_told_at_once(saved, name, hint, hub) -> None:
    hub(never)
    with pytest.raises(ValueError, match="no policy at") as caught:
        Policy.from_pretrained(name)
    assert str(caught.value).endswith(hint)


def test_a_hub_that_refuses_or_cannot_be_reached_is_one_line(saved, hub) -> None:
    class ProxyError(Exception):
        pass

    def refuse(*_args, timeout: float, **_kwargs):
        assert timeout == model_path.HUB_SECONDS
        raise ProxyError("403 Forbidden\nand more")

    hub(refuse)
    with pytest.raises(ValueError, match="the hub does not answer") as caught:
        Policy.from_pretrained("acme/policy")
    assert "ProxyError" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_hub_that_never_answers_is_given_up(monkeypatch, saved) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        held = []
        thread = threading.Thread(target=lambda: held.append(server.accept()), daemon=True)
        thread.start()
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setattr(model_path, "HUB_SECONDS", 0.2)
        with pytest.raises(ValueError, match="the hub does not answer"):
            Policy.from_pretrained("acme/policy")
        thread.join()
        held[0][0].close()
