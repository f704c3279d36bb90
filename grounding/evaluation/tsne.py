"""Words and what they mean as places on a map: t-SNE of both together."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_PERPLEXITY = 7.5


@dataclass(frozen=True)
class WordMap:
    """Where what is seen of each word, the word itself and single frames lie."""

    seen: Float[np.ndarray, "n 2"]
    said: Float[np.ndarray, "n 2"]
    frames: Float[np.ndarray, "m 2"]

    @property
    def distances(self) -> Float[np.ndarray, " n"]:
        """How far each word lies from what is seen of it."""
        return np.linalg.norm(self.seen - self.said, axis=1)


def place_words(
    seen: Float[np.ndarray, "n d"],
    said: Float[np.ndarray, "n d"],
    frames: Float[np.ndarray, "m d"] | None = None,
    seed: int = 1,
) -> WordMap:
    """The map of CVCL's figure 4: t-SNE (van der Maaten and Hinton 2008) of one minus the cosines,
    stretched to 0..1, at a perplexity of 7.5.

    seen: for each word the mean of its frames' vectors, however long. said: the words' vectors.

    Raises:
        ValueError: there are fewer than two words.
    """
    from sklearn.manifold import TSNE

    if len(seen) < 2:
        raise ValueError(f"{len(seen)} words make no map")
    frames = seen[:0] if frames is None else frames
    things = np.concatenate([seen, said, frames]).astype(np.float64)
    things /= np.linalg.norm(things, axis=1, keepdims=True).clip(1e-12)
    cosines = things @ things.T
    low, high = cosines.min(), cosines.max()
    far = np.clip(1 - (cosines - low) / max(high - low, 1e-12), 0, None)
    np.fill_diagonal(far, 0)
    # few things have few neighbours: sklearn refuses a perplexity as large as their number
    perplexity = min(_PERPLEXITY, (len(things) - 1) / 2)
    layout = TSNE(
        metric="precomputed", init="random", perplexity=perplexity, random_state=seed, n_jobs=1
    ).fit_transform(far)
    ends = (len(seen), 2 * len(seen))
    return WordMap(layout[: ends[0]], layout[ends[0] : ends[1]], layout[ends[1] :])
