"""The page about words says what works."""

import json
import re

import torch

from firsthand.grounding.vocabulary import SPECIAL
from tests.helpers.cvcl_files import release


def test_the_example_runs(project, tmp_path, monkeypatch):
    page = (project / "docs" / "words.md").read_text()
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    words = (*SPECIAL, "look", ",", "a", "ball", "!", "kitty")
    (tmp_path / "vocab.json").write_text(json.dumps(dict(zip(words, range(10), strict=True))))
    made = release("embedding", transformer=True, words=len(words))
    torch.save({"state_dict": made.state_dict()}, tmp_path / "cvcl.ckpt")
    monkeypatch.chdir(tmp_path)
    told: dict = {}
    exec(example, told)
    assert told["seen"].shape == (4, 512)
    assert told["similarity"].shape == (4, 2)
    assert told["tokens"][0].tolist() == [2, 4, 5, 6, 7, 8, 3]
    assert (tmp_path / "cvcl" / "vocabulary.json").exists()


def test_every_file_it_names_exists(project):
    page = (project / "docs" / "words.md").read_text()
    named = re.findall(r"`((?:policy|grounding)/[\w/.]*)`", page)
    assert len(named) >= 8
    for name in named:
        assert (project / name).exists(), name
