"""The inner layers of a vision encoder, to be compared with words."""

from jaxtyping import Float
from torch import Tensor, nn

from firsthand.grounding.image_encoder import PolicyVision, TimmVision, Vision
from firsthand.policy.modules.image_encoder import ViTEncoder


def stages(vision: Vision) -> dict[str, nn.Module]:
    """What follows one upon the other in the encoder, by its name there.

    Of timm's networks what timm takes for their stages; of blocks each; of other convolutional
    networks what they consist of. The last may be the encoder's own output before it is pooled.
    """
    if isinstance(vision, PolicyVision):
        if isinstance(vision.encoder, ViTEncoder):
            return _numbered("block", vision.encoder.vit.blocks)
        return {}
    if isinstance(vision, TimmVision):
        names = [str(stage["module"]) for stage in vision.trunk.feature_info]
        return {name: vision.trunk.get_submodule(name) for name in names}
    blocks = getattr(vision, "blocks", None)
    return _numbered("block", blocks) if isinstance(blocks, nn.Sequential) else {}


def averaged(vision: Vision, found: Tensor) -> Float[Tensor, "b c"]:
    """What a stage found, averaged over places; of tokens the one of no place, if there is one."""
    trunk = getattr(vision, "trunk", None)
    if found.ndim == 4:
        return found.mean(dim=(1, 2) if getattr(trunk, "output_fmt", "") == "NHWC" else (2, 3))
    return found[:, 0] if getattr(trunk, "num_prefix_tokens", 1) else found.mean(dim=1)


def _numbered(name: str, blocks: nn.Module) -> dict[str, nn.Module]:
    return {f"{name} {number}": block for number, block in enumerate(blocks.children(), 1)}
