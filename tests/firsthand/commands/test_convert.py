"""`firsthand convert source=gr1`, from published files to a policy that acts without them."""

import json
import zlib
from pathlib import Path

import pytest
import torch

from firsthand.cli import main as cli
from firsthand.episodes.storage.writer import EpisodeWriter
from firsthand.grounding.model import GroundingModel
from firsthand.policy.modules.video_decoder import sincos_position
from firsthand.policy.policy import Policy
from tests.episodes.conftest import record
from tests.helpers.cvcl_files import release
from tests.helpers.golden import official_keys

FEW = ("tasks=[turn_on_led]", "what=tasks", "trials=1", "steps=2", "workers=1", "num_envs=1")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot without encoders, CLIP as OpenAI names it, MAE's release: random, and small on
    disk, for rows of one number repeated take the place of one."""
    folder = tmp_path_factory.mktemp("published")
    parts: dict[str, dict[str, torch.Tensor]] = {"": {}, "model_clip": {}, "model_mae": {}}
    for name, shape in official_keys().items():
        random = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        part, _, rest = name.partition(".")
        if part in parts:
            narrow = (*shape[:-1], 1) if len(shape) > 1 else shape
            value = 0.02 * torch.randn(narrow, generator=random)
            parts[part][rest] = value.expand(shape)
        elif name == "decoder_pos_embed":
            parts[""][name] = sincos_position(14, 384)[None]
        elif not (part == "transformer" and name.endswith((".attn.bias", ".masked_bias"))):
            parts[""][name] = 0.02 * torch.randn(shape, generator=random)
    torch.save({"state_dict": parts[""]}, folder / "snapshot_ABC.pt")
    torch.save(parts["model_clip"], folder / "ViT-B-32.pt")
    torch.save({"model": parts["model_mae"]}, folder / "mae.pth")
    return folder


def test_published_weights_become_a_policy_that_needs_them_no_more(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        "source=gr1",
        f"root={published / 'snapshot_ABC.pt'}",
        f"source.clip={published / 'ViT-B-32.pt'}",
        f"source.mae={published / 'mae.pth'}",
        "out=gr1",
        "run=converted",
    ]
    assert cli.main(["convert", *words]) == 0
    assert "195,214,407 parameters" in capsys.readouterr().out
    assert json.loads(Path("converted/report.json").read_text())["policy"] == "gr1"

    for file in published.iterdir():
        file.unlink()
    policy = Policy.from_pretrained("gr1")
    assert policy.config.images.weights == policy.config.language.weights == ""
    assert cli.main(["inspect", "path=gr1"]) == 0
    assert "195,214,407" in capsys.readouterr().out
    assert cli.main(["evaluate", "checkpoint=gr1", *FEW, "run=evaluated"]) == 0
    assert len(Path("evaluated/tasks.jsonl").read_text().splitlines()) == 1
    assert "turn_on_led" in capsys.readouterr().out


def test_published_weights_become_a_word_grounding_model(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(
        {"state_dict": release("learned", transformer=True, words=50).state_dict()}, "c.ckpt"
    )
    assert cli.main(["convert", "source=cvcl", "root=c.ckpt", "out=cvcl", "run=run"]) == 0
    model = GroundingModel.from_pretrained("cvcl")
    report = json.loads(Path("run/report.json").read_text())
    assert report["parameters"] == sum(p.numel() for p in model.parameters())


def test_episodes_become_a_dataset_of_others(tmp_path: Path, monkeypatch, capsys) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    with EpisodeWriter("one.h5") as writer:
        for number in range(3):
            writer.add(record(number, fps=10.0))
    assert cli.main(["convert", "source=episodes", "root=one.h5", "out=there", "run=run"]) == 0
    assert "3 episodes written: there" in capsys.readouterr().out
    assert json.loads(Path("there/meta/info.json").read_text())["total_episodes"] == 3
    assert cli.main(["convert", "source=episodes", "root=one.h5", "out=there", "run=again"]) == 1
    assert "there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["source=gr1", "root=nowhere.pt"], "there is no file nowhere.pt"),
        (["source=gr1", "root=words.pt"], "words.pt cannot be read"),
        (["source=gr1", "root=one.pt"], "one.pt does not hold CLIP: say where it is"),
        (
            ["source=gr1", "root=one.pt", "source.clip=one.pt", "source.mae=one.pt"],
            "one.pt holds no OpenAI's",
        ),
        (["source=gr1", "root=one.pt", "out=words.pt"], "out=words.pt is a file"),
        (["source=gr1", "root=one.pt", "source.fps=3"], "'source.fps' here; it belongs to source="),
        (["root=videos", "source.clip=one.pt"], "'source.clip' here; it belongs to source=gr1"),
        (["source=gr1", "root=one.pt", "workers=3"], "workers=3 means nothing to source=gr1"),
        (["source=episodes", "root=x", "max_lost=1"], "max_lost=1.0 means nothing to source=epi"),
        (["root=videos", "address=auto"], "address=auto means nothing to executor=local"),
        (["root=videos", "executor=ray", "workers=0"], "workers of a cluster must be 1 or more"),
        (["root=videos", "held_out=1"], "held_out must be at least 0 and below 1, not 1.0"),
        (["source=videos"], "root has no value: write root=<value>"),
        (["root=nowhere"], "nowhere: is no folder"),
        (["source=cvcl", "root=words.pt"], "words.pt cannot be read"),
        (["source=cvcl", "root=words.pt", "seed=1"], "seed=1 means nothing to source=cvcl"),
        (["source=episodes", "root=nowhere"], "no episodes at nowhere"),
        (["source=gr2", "root=one.pt"], "source=gr2: did you mean 'gr1'?"),
    ],
)
def test_what_cannot_be_converted_is_said_in_one_line(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("words.pt").write_text("no weights")
    torch.save({"embed_ln.weight": torch.ones(384)}, "one.pt")
    assert cli.main(["convert", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
