"""CLIP (Radford et al. 2021) on the trials of forced choice, as in CVCL's paper."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor

from firsthand.common.errors import UserError
from firsthand.grounding.evaluation.embeddings import BATCH, Progress, read_images
from firsthand.grounding.evaluation.scoring import Scorer
from firsthand.grounding.evaluation.test_sets import TestSet
from firsthand.policy.modules.clip_text import tokenize

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class ClipScorer:
    """A CLIP in a folder as transformers saves it: `config.json`, `model.safetensors`.

    Raises:
        UserError: there is none.
    """

    def __init__(self, folder: str) -> None:
        from transformers import CLIPModel

        try:
            # local_files_only: a folder that is missing is not looked for on the hub
            model: Any = CLIPModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError) as error:
            raise UserError(f"clip={folder}: {str(error).splitlines()[0]}") from error
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model, self.device = model.eval().to(device), torch.device(device)
        self.size = int(model.config.vision_config.image_size)

    @torch.no_grad()
    def score(
        self, test_set: TestSet, words: Sequence[str], progress: Progress | None = None
    ) -> Scorer:
        """Similarities of a test set's images with words; the prompt is the bare word."""
        tokens = tokenize(list(words)).to(self.device)
        text_emb = F.normalize(_vectors(self.model.get_text_features(input_ids=tokens)), dim=1)
        paths = list(dict.fromkeys(test_set.paths.values()))
        rows = []
        for start in range(0, len(paths), BATCH):
            some = paths[start : start + BATCH]
            pixels = read_images(some, self.size, test_set.shrunk).to(self.device) / 255
            mean, std = (torch.tensor(v, device=self.device)[:, None, None] for v in (MEAN, STD))
            image_features = self.model.get_image_features(pixel_values=(pixels - mean) / std)
            rows.append((F.normalize(_vectors(image_features), dim=1) @ text_emb.t()).float().cpu())
            if progress is not None:
                progress(min(start + BATCH, len(paths)), len(paths))
        return Scorer.of(words, paths, torch.cat(rows))


def _vectors(found: Any) -> Float[Tensor, "n d"]:
    """transformers gives the vectors, or an output that holds them, by its version."""
    return found if isinstance(found, Tensor) else found.pooler_output
