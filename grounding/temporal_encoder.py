"""What happens in a clip: how the features of its frames change, place by place."""

from jaxtyping import Float
from torch import Tensor, nn

from firsthand.grounding.config import ClipConfig


class TemporalEncoder(nn.Module):
    """A clip of t frames as one vector of `width` numbers.

    Only the changes from frame to frame are looked at: what a thing is, which is easier to learn
    from names than what it does, is not among them. Convolutions reach over time and both sides of
    the picture (Tran et al. 2015), so that a change is found wherever it is, and with what comes
    before and after it. Of every feature the place counts where it is strongest, and of these the
    mean over time.
    """

    def __init__(self, places: int, config: ClipConfig) -> None:
        super().__init__()
        first, second = config.widths
        self.width = second
        self.blocks = nn.Sequential(
            nn.Conv3d(places, first, 1),
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
