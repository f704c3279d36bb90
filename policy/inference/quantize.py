"""A policy that acts faster on a processor: other products in its linear layers.

Nearly all of a transformer's time goes into them. They alone are replaced, in the image encoder,
the pool and the trunk; normalisation, softmax, activations, the stream that layers add to,
embeddings and the action head stay as they were. `firsthand benchmark control-step` says how fast
and how wrong the result is.
"""

from typing import TYPE_CHECKING, Any, Literal, cast

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, Int8
from torch import Tensor, nn

if TYPE_CHECKING:
    from firsthand.policy.policy import Policy

Precision = Literal["fp32", "bf16", "int8"]
LARGEST = 127


class Float32Linear(nn.Module):
    """A linear layer whose product is taken by oneDNN, exact but for rounding.

    torch takes its fp32 products with MKL, which leaves half the speed of AMD's processors unused.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        bias = None if linear.bias is None else linear.bias.detach().to_mkldnn()
        self.register_buffer("weight", linear.weight.detach().to_mkldnn())
        self.register_buffer("bias", bias)

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        packed = x.contiguous().to_mkldnn()
        return torch.ops.aten.mkldnn_linear(packed, self.weight, self.bias).to_dense()


class BFloat16Linear(nn.Module):
    """A linear layer whose product is of bfloat16 numbers."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        bias = None if linear.bias is None else linear.bias.detach().bfloat16()
        self.register_buffer("weight", linear.weight.detach().bfloat16())
        self.register_buffer("bias", bias)

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        return F.linear(x.bfloat16(), self.weight, self.bias).to(x.dtype)


class Int8Linear(nn.Module):
    """A linear layer whose product is of whole numbers from -127 to 127.

    Every output's weights and every token's numbers have a scale of their own (as in LLM.int8,
    Dettmers et al. 2022, without its outliers): one scale for a whole layer would be made by a few
    large numbers and round the others away.

    Raises:
        ValueError: the layer has one input alone, for which torch's product is wrong.
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        if linear.in_features == 1:
            raise ValueError("a layer of one input alone cannot multiply in whole numbers")
        weight, scale = quantise(linear.weight.detach())
        bias = None if linear.bias is None else linear.bias.detach().clone()
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale[:, 0])
        self.register_buffer("bias", bias)

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        whole, scale = quantise(x.flatten(0, -2))
        product = torch._int_mm(whole, self.weight.t())  # pyright: ignore[reportPrivateImportUsage]
        y = product.float().mul_(scale).mul_(self.scale)
        if self.bias is not None:
            y.add_(self.bias)
        return y.unflatten(0, x.shape[:-1])


def quantise(x: Float[Tensor, "n i"]) -> tuple[Int8[Tensor, "n i"], Float[Tensor, "n 1"]]:
    """Whole numbers and the scale of each row, such that their product is nearly x."""
    scale = x.abs().amax(dim=1, keepdim=True).clamp_(min=1e-12) / LARGEST
    return (x / scale).round_().to(torch.int8), scale


def quantize(policy: "Policy", precision: Precision) -> None:
    """Change a policy, in place and for good, into one that acts only, faster on this processor.

    Raises:
        ValueError: the policy is not on a CPU, or was hastened before. Afterwards, whenever the
            policy is asked for losses, or for weights to save, or is given weights.
    """
    device = next(policy.parameters()).device
    if device.type != "cpu":
        raise ValueError(f"only products on a CPU are quicker in {precision}, not on {device}")
    if any(
        isinstance(module, Float32Linear | BFloat16Linear | Int8Linear)
        for module in policy.modules()
    ):
        raise ValueError("the policy was hastened before: load it again")
    layer = {"fp32": Float32Linear, "bf16": BFloat16Linear, "int8": Int8Linear}[precision]
    for part in (policy.images, policy.pool, policy.trunk):
        for parent in list(cast(nn.Module, part).modules()):
            for name, child in list(parent.named_children()):
                if type(child) is nn.Linear:
                    setattr(parent, name, layer(child))
    policy.eval().requires_grad_(False)

    def refuse(*_: Any) -> None:
        raise ValueError(
            f"a policy hastened by {precision} only acts: it can neither learn nor be saved or "
            "given weights; load it again"
        )

    policy.register_forward_pre_hook(refuse)
    policy.register_state_dict_pre_hook(refuse)
    policy.register_load_state_dict_pre_hook(refuse)
