"""What a model makes of a few utterances while it still learns."""

import torch

from firsthand.grounding.model import GroundingModel
from firsthand.grounding.pairs import Pairs
from firsthand.grounding.report.saliency_plots import word_looks
from firsthand.grounding.report.style import evenly
from firsthand.policy.modules.image_encoder import imagenet_normalised, to_unit
from firsthand.training.visualize.image_grid import (
    ColorBar,
    GridRow,
    Picture,
    bright,
    overlaid,
    sheet,
)

_ROWS = 4


@torch.no_grad()
def heard(model: GroundingModel, pairs: Pairs, among: int) -> Picture:
    """A few frames, what was said of them, what the model would have said, of `among` utterances,
    and where it looks for what was said, if it has such maps; of clips the middle frames.
    """
    chosen = evenly(len(pairs), among)
    batch = pairs.some(chosen).to(model.project.weight.device)
    images = imagenet_normalised(to_unit(batch.images))
    nearest = model.compare(images, batch.tokens, batch.lengths).argmax(dim=1).tolist()
    rows = evenly(len(chosen), _ROWS)
    pixels = batch.images[rows]
    seen = pixels if pixels.ndim == 4 else pixels[:, pixels.shape[1] // 2]
    frames = seen.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    maps = None
    if pixels.ndim == 4:
        maps = word_looks(model, frames, model.encode_text(batch.tokens[rows], batch.lengths[rows]))
    said = [pairs.utterances[index].utterance for index in chosen]
    shown = []
    for number, row in enumerate(rows):
        cells = [frames[number]]
        if maps is not None:
            cells.append(overlaid(frames[number], maps[number]))
        shown.append(GridRow([f"said: {said[row]}", f"nearest: {said[nearest[row]]}"], cells))
    title = f"nearest of {len(chosen)} utterances; looked at"
    return sheet(title, [], shown, ColorBar(bright, "looked at least", "most"))
