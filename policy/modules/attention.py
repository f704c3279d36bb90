"""Scaled dot-product attention, by the kernel that is fast where we are."""

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

# torch's fused CPU kernel works by blocks of keys. Below about this many, its backward pass in
# bfloat16 is several times slower than plain matrix products; everything else it does faster
# (`python -m firsthand.benchmarks.attention` says by how much).
SHORT = 128


def attend(
    q: Float[Tensor, "b heads n c"],
    k: Float[Tensor, "b heads m c"],
    v: Float[Tensor, "b heads m c"],
    mask: Bool[Tensor, "#b 1 n m"] | None = None,
    dropout: float = 0.0,
) -> Float[Tensor, "b heads n c"]:
    """Softmax of q·k over the root of c, where the mask is true, times v."""
    short = q.device.type == "cpu" and k.shape[-2] <= SHORT
    if short and q.dtype == torch.bfloat16 and torch.is_grad_enabled():
        with sdpa_kernel(SDPBackend.MATH):
            return F.scaled_dot_product_attention(q, k, v, mask, dropout)
    return F.scaled_dot_product_attention(q, k, v, mask, dropout)
