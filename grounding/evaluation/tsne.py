"""t-SNE of words and of the images that show what they mean, together."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_PERPLEXITY = 7.5


@dataclass(frozen=True)
class WordMap:
    """Coordinates in the plane, without a unit."""

    images: Float[np.ndarray, "n 2"]
    """The mean image of each word."""
    words: Float[np.ndarray, "n 2"]
    """The word."""
    frames: Float[np.ndarray, "m 2"]
    """Single frames."""

    @property
    def distances(self) -> Float[np.ndarray, " n"]:
        """Of each word from its mean image."""
        return np.linalg.norm(self.images - self.words, axis=1)


def tsne_map(
    image_emb: Float[np.ndarray, "n d"],
    text_emb: Float[np.ndarray, "n d"],
    frames: Float[np.ndarray, "m d"] | None = None,
    seed: int = 1,
) -> WordMap:
    """The map of CVCL's figure 4: t-SNE (van der Maaten and Hinton 2008) of one minus the cosines,
    stretched to 0..1, at a perplexity of 7.5.

    image_emb: for each word the mean of its frames' vectors, of any length. text_emb: the words'
    vectors. frames: vectors of single frames.

    Raises:
        ValueError: there are fewer than two words.
    """
    from sklearn.manifold import TSNE

    if len(image_emb) < 2:
        raise ValueError(f"{len(image_emb)} words make no map")
    frames = image_emb[:0] if frames is None else frames
    rows = np.concatenate([image_emb, text_emb, frames]).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)
    cosines = rows @ rows.T
    low, high = cosines.min(), cosines.max()
    far = np.clip(1 - (cosines - low) / max(high - low, 1e-12), 0, None)
    np.fill_diagonal(far, 0)
    # sklearn refuses a perplexity as large as the number of rows
    perplexity = min(_PERPLEXITY, (len(rows) - 1) / 2)
    layout = TSNE(
        metric="precomputed", init="random", perplexity=perplexity, random_state=seed, n_jobs=1
    ).fit_transform(far)
    ends = (len(image_emb), 2 * len(image_emb))
    return WordMap(layout[: ends[0]], layout[ends[0] : ends[1]], layout[ends[1] :])
