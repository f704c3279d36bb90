"""Saliency maps of frames for words, scaled for figures."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from firsthand.grounding.image_encoder import Images, model_input
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.saliency import Maps, attention_maps, enlarged, grad_cam_maps

_BLUR = 0.02  # standard deviation, as a share of the image's side


def word_saliency(
    model: GroundingModel, frames: UInt8[np.ndarray, "n s s 3"], text_emb: Float[Tensor, "n d"]
) -> Float[np.ndarray, "n s s"] | None:
    """A map for each frame, scaled to 0..1 and slightly blurred, as in CVCL's figures.

    text_emb: the word of each frame. A model that compares a grid with words: the similarity of
    each cell. A convolutional network: Grad-CAM. A vision transformer: attention of the class
    token, the mean over heads. None for other models.
    """
    device = model.project.weight.device
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).to(device)
    images = model_input(pixels)
    if (maps := _maps(model, images, text_emb.to(device))) is None:
        return None
    large = enlarged(maps, *frames.shape[1:3])
    low, high = large.amin(dim=(1, 2), keepdim=True), large.amax(dim=(1, 2), keepdim=True)
    scaled = (large - low) / (high - low).clamp(min=1e-9)
    sigma = _BLUR * frames.shape[1]
    size = 2 * round(3 * sigma) + 1
    return gaussian_blur(scaled[:, None], [size, size], [sigma, sigma])[:, 0].cpu().numpy()


def _maps(model: GroundingModel, images: Images, text_emb: Float[Tensor, "n d"]) -> Maps | None:
    if model.config.similarity != "flat":
        with torch.no_grad():
            return torch.einsum("ndrc,nd->nrc", model.encode_grid(images), text_emb)
    try:
        return grad_cam_maps(model, images, text_emb)
    except ValueError:
        try:
            return attention_maps(model, images).mean(dim=1)
        except ValueError:
            return None
