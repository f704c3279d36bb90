"""A figure of a model in training: a few frames and their nearest utterances."""

import torch

from firsthand.grounding.image_encoder import model_input
from firsthand.grounding.model import GroundingModel
from firsthand.grounding.pairs import Pairs
from firsthand.grounding.report.saliency_plots import word_saliency
from firsthand.grounding.report.style import evenly_spaced
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
def nearest_utterances(model: GroundingModel, pairs: Pairs, among: int) -> Picture:
    """A few frames, the utterance of each, the nearest of `among` utterances, and the saliency map
    for the frame's own utterance, if the model has one; of clips the middle frames.
    """
    indices = evenly_spaced(len(pairs), among)
    batch = pairs.batch_of(indices).to(model.project.weight.device)
    images = model_input(batch.images)
    nearest = model.compare(images, batch.tokens, batch.lengths).argmax(dim=1).tolist()
    rows = evenly_spaced(len(indices), _ROWS)
    pixels = batch.images[rows]
    middle = pixels if pixels.ndim == 4 else pixels[:, pixels.shape[1] // 2]
    frames = middle.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    maps = None
    if pixels.ndim == 4:
        text_emb = model.encode_text(batch.tokens[rows], batch.lengths[rows])
        maps = word_saliency(model, frames, text_emb)
    texts = [pairs.utterances[index].utterance for index in indices]
    grid = []
    for number, row in enumerate(rows):
        cells = [frames[number]]
        if maps is not None:
            cells.append(overlaid(frames[number], maps[number]))
        grid.append(GridRow([f"said: {texts[row]}", f"nearest: {texts[nearest[row]]}"], cells))
    title = f"nearest of {len(indices)} utterances; looked at"
    return sheet(title, [], grid, ColorBar(bright, "looked at least", "most"))
