"""Where a model looks in a frame for a word."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from firsthand.grounding.image_encoder import Pictures
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.saliency import Maps, attention_maps, enlarged, word_map
from firsthand.policy.modules.image_encoder import imagenet_normalised, to_unit

_BLUR = 0.02  # of a picture's side: the standard deviation


def word_looks(
    model: GroundingModel, frames: UInt8[np.ndarray, "n s s 3"], said: Float[Tensor, "n d"]
) -> Float[np.ndarray, "n s s"] | None:
    """A map for each frame, from 0 to 1 in each, as CVCL shows them: a little blurred.

    Of a model that compares places with words it is how near each place is; of a convolutional
    network Grad-CAM for the frame's word, of a vision transformer what its class token attends to
    (the mean of the heads); None of a model that has none of these.
    """
    device = model.project.weight.device
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).to(device)
    images = imagenet_normalised(to_unit(pixels))
    if (maps := _maps(model, images, said.to(device))) is None:
        return None
    large = enlarged(maps, *frames.shape[1:3])
    low, high = large.amin(dim=(1, 2), keepdim=True), large.amax(dim=(1, 2), keepdim=True)
    scaled = (large - low) / (high - low).clamp(min=1e-9)
    sigma = _BLUR * frames.shape[1]
    size = 2 * round(3 * sigma) + 1
    return gaussian_blur(scaled[:, None], [size, size], [sigma, sigma])[:, 0].cpu().numpy()


def _maps(model: GroundingModel, images: Pictures, said: Float[Tensor, "n d"]) -> Maps | None:
    if model.config.similarity != "flat":
        with torch.no_grad():
            return torch.einsum("ndrc,nd->nrc", model.encode_places(images), said)
    try:
        return word_map(model, images, said)
    except ValueError:
        try:
            return attention_maps(model, images).mean(dim=1)
        except ValueError:
            return None
