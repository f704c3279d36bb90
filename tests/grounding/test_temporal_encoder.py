"""Clips: what happens in them, and in which order."""

from dataclasses import replace

import pytest
import torch

from firsthand.grounding.config import ClipConfig, GroundingConfig, UtteranceConfig, VisionConfig
from firsthand.grounding.contrastive import PairBatch
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.temporal_encoder import TemporalEncoder

FRAMES = 4
STILL = GroundingConfig(
    VisionConfig(encoder="blocks", widths=(4, 8), size=16, frozen=False),
    UtteranceConfig(words=11),
    width=16,
)
CLIPS = replace(STILL, clip=ClipConfig(frames=FRAMES, widths=(8, 12)))


def model_of(config: GroundingConfig = CLIPS) -> GroundingModel:
    torch.manual_seed(0)
    return GroundingModel(config).eval()


def clips(count: int = 3) -> torch.Tensor:
    return torch.randn(count, FRAMES, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_the_order_of_frames_counts_and_that_of_clips_does_not():
    model, shown = model_of(), clips()
    seen = model.encode_image(shown)
    assert torch.allclose(seen.norm(dim=1), torch.ones(3))
    assert not torch.allclose(model.encode_image(shown.flip(1)), seen, atol=1e-3)
    assert torch.allclose(model.encode_image(shown.flip(0)), seen.flip(0), atol=1e-6)


def test_a_picture_is_a_clip_in_which_nothing_happens():
    model, picture = model_of(), clips()[:, 0]
    held = picture[:, None].expand(-1, FRAMES, -1, -1, -1)
    assert torch.allclose(model.encode_image(picture), model.encode_image(held), atol=1e-6)


def test_what_moves_is_found_wherever_it_moves():
    torch.manual_seed(0)
    motion = TemporalEncoder(2, ClipConfig(frames=FRAMES, widths=(8, 12))).eval()
    still = torch.zeros(1, FRAMES, 2, 24, 24)
    there, here = still.clone(), still.clone()
    for t in range(FRAMES):
        there[0, t, :, 8, 8 + t] = 5.0
        here[0, t, :, 14, 10 + t] = 5.0  # moved by whole cells of what is pooled
    assert torch.allclose(motion(there), motion(here), atol=1e-5)
    assert not torch.allclose(motion(there), motion(still), atol=1e-3)


@pytest.mark.parametrize("size", [4, 16, 20])
def test_grids_of_any_size_are_taken_down_to_a_single_place(size):
    config = replace(CLIPS, vision=replace(CLIPS.vision, size=size))
    shown = torch.randn(2, FRAMES, 3, size, size)
    assert model_of(config).encode_image(shown).shape == (2, 16)


def test_all_of_it_learns_from_clips_as_they_are_stored():
    model = model_of().train()
    batch = PairBatch(
        torch.randint(0, 256, (3, FRAMES, 3, 16, 16), dtype=torch.uint8),
        torch.tensor([[4, 5], [6, 0], [7, 8]]),
        torch.tensor([2, 1, 2]),
    )
    model(batch).total.backward()
    assert all(value.grad is not None for value in model.parameters())


def test_a_model_of_clips_is_saved_and_one_of_pictures_is_as_it_was(tmp_path):
    model = model_of()
    model.save_pretrained(tmp_path)
    again = GroundingModel.from_pretrained(tmp_path)
    assert again.config == CLIPS
    assert torch.equal(again.encode_image(clips()), model.encode_image(clips()))
    assert not [name for name in model_of(STILL).state_dict() if name.startswith("motion")]


def test_clips_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"clips have 3 frames, clip\.frames says 4"):
        model_of().encode_image(clips()[:, :3])
    with pytest.raises(ValueError, match=r"clips have 4 frames, clip\.frames says 1"):
        model_of(STILL).encode_image(clips())
    with pytest.raises(ValueError, match="a clip has at least 1 frame, not 0"):
        ClipConfig(frames=0)
    with pytest.raises(ValueError, match="clips of 4 frames need similarity=flat, not max"):
        replace(CLIPS, similarity="max")
