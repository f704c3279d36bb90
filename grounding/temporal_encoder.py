"""The temporal encoder: what changes between the frames of a clip, as one vector."""

from jaxtyping import Float
from torch import Tensor, nn

from firsthand.grounding.config import ClipConfig


class TemporalEncoder(nn.Module):
    """A clip of t frames as one vector of `width` numbers.

    Its input is the differences between the feature maps of successive frames: they hold what an
    object does and not what it is, which is easier to learn from names. 3D convolutions (Tran et
    al. 2015) over time and space, then the maximum over space and the mean over time.
    """

    def __init__(self, channels: int, config: ClipConfig) -> None:
        super().__init__()
        first, second = config.widths
        self.width = second
        self.blocks = nn.Sequential(
            nn.Conv3d(channels, first, 1),
            *_block(first, first),
            nn.MaxPool3d((1, 2, 2), ceil_mode=True),
            *_block(first, second),
        )

    def forward(self, grids: Float[Tensor, "b t c h w"]) -> Float[Tensor, "b d"]:
        changes = grids.diff(dim=1).transpose(1, 2)
        return self.blocks(changes).amax(dim=(3, 4)).mean(dim=2)


def _block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv3d(inputs, outputs, 3, padding=1, bias=False)
    return convolution, nn.BatchNorm3d(outputs), nn.ReLU()
