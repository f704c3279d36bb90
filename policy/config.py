"""Every choice that makes one policy differ from another, and its default: those of `small`."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class CameraConfig:
    """A camera the policy looks through; its pictures are resized to `size` pixels squared."""

    name: str
    size: int


@dataclass(frozen=True)
class LanguageConfig:
    """The frozen sentence encoder.

    `minilm` is all-MiniLM-L6-v2 as a package ships it (384 wide, nothing to download);
    `clip` is the text half of CLIP ViT-B/32 (512 wide), part of the policy's own weights. A new
    policy takes them from `weights`: a local file or directory, or a hub name.
    """

    encoder: Literal["minilm", "clip"] = "minilm"
    weights: str = ""

    @property
    def width(self) -> int:
        return {"minilm": 384, "clip": 512}[self.encoder]


@dataclass(frozen=True)
class ImageConfig:
    """What turns one picture into a grid of features, the same weights for every camera.

    `conv` is a strided stem and `blocks` residual blocks of `width` channels, the last of them
    modulated by the instruction (FiLM, Perez et al. 2018); `vit` is a timm vision transformer,
    `model` its name, `frozen` whether it stays as it is, `weights` where a new policy takes it
    from: a local file or directory, or a hub name. Pictures of another size are resized (bicubic)
    with or without `antialias`: the published weights of GR-1 saw them without.
    """

    encoder: Literal["conv", "vit"] = "conv"
    width: int = 64
    blocks: int = 2
    stride: int = 4
    model: str = "vit_base_patch16_224"
    weights: str = ""
    frozen: bool = False
    antialias: bool = True


@dataclass(frozen=True)
class PoolingConfig:
    """What turns a grid of features into a few tokens.

    `points`: softmax attention maps that look for what the instruction names, a token being the
    attended feature and the map's centre (spatial softmax, Levine et al. 2016). `perceiver`: a
    perceiver resampler (Flamingo, Alayrac et al. 2022), to which the vision transformer's class
    token is added as one token more.
    """

    kind: Literal["points", "perceiver"] = "points"
    tokens: int = 8
    depth: int = 3
    heads: int = 4
    head_width: int = 128


@dataclass(frozen=True)
class TrunkConfig:
    """The causal transformer.

    `within_step` says whether the observed tokens of one time step see each other all ("full") or
    only those before them ("causal", as GR-1 does). `position` says what tells steps apart: a
    learned vector for each `slot` of the window (GR-1); besides, one for each `token` of the
    window (GR1-Training's GPT-2); or rotary angles by frame (`rotary`), which a window may slide
    over for ever, so that keys and values can be kept from step to step.
    """

    width: int = 192
    depth: int = 3
    heads: int = 6
    mlp_ratio: int = 4
    activation: Literal["relu", "gelu"] = "relu"
    dropout: float = 0.0
    within_step: Literal["full", "causal"] = "full"
    position: Literal["slot", "token", "rotary"] = "slot"

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(
                f"trunk width {self.width} is not a multiple of its {self.heads} heads"
            )


@dataclass(frozen=True)
class ActionConfig:
    """The action head: `chunk` actions at a time, `hidden` layers of half the trunk's width.

    GR-1's head has no activation between its layers, which makes it one linear map; `activation`
    says whether ours has. A chunk is read off `one` query, or `each` of its actions off a query of
    its own (GR1-Training). The first `execute` actions are carried out before the next look; with
    `ensemble` set, the policy looks at every step and averages what all chunks say of it, the
    chunk that is i-th from the oldest weighing exp(-ensemble * i) (ACT, Zhao et al. 2023). `clip`
    keeps the arm's numbers within [-1, 1]; the published GR-1 passes them on as they are.
    """

    chunk: int = 10
    activation: Literal["none", "relu"] = "relu"
    execute: int = 3
    queries: Literal["one", "each"] = "one"
    ensemble: float | None = None
    clip: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.execute <= self.chunk:
            raise ValueError(f"cannot execute {self.execute} actions of a chunk of {self.chunk}")
        if self.ensemble is not None and self.execute != 1:
            raise ValueError(
                f"action.ensemble looks at every step: write action.execute=1, not {self.execute}"
            )


@dataclass(frozen=True)
class VideoConfig:
    """The future-frame decoder: `queries` read-only tokens a camera, then a small transformer.

    With `from_current` the decoder starts from the current picture (its features as input, its
    pixels as what the prediction changes); without, from mask tokens alone, as GR-1 does.
    `target` is what it predicts: `pixels`, which can be shown, or pixels `normalised` patch by
    patch (MAE, GR-1). `floor` is added to a patch's standard deviation before dividing by it.
    While actions are learned as well, futures are predicted for a `share` of each batch: a frame
    costs about as much to predict as to act on.
    """

    queries: int = 4
    patch: int = 16
    width: int = 128
    depth: int = 1
    heads: int = 4
    activation: Literal["relu", "gelu"] = "relu"
    from_current: bool = True
    target: Literal["pixels", "normalised"] = "pixels"
    floor: float = 0.05
    share: float = 0.25

    def __post_init__(self) -> None:
        if self.from_current and self.target == "normalised":
            raise ValueError("video.from_current changes pixels: it needs video.target=pixels")
        if not 0 < self.share <= 1:
            raise ValueError(f"video.share must lie in (0, 1], not {self.share}")


@dataclass(frozen=True)
class LossWeights:
    arm: float = 1.0
    gripper: float = 0.05
    video: float = 0.1
    arm_beta: float = 0.1  # where smooth L1 turns from quadratic to linear


@dataclass(frozen=True)
class PolicyConfig:
    """A policy: its senses, its trunk, its outputs.

    `length` frames of history `stride` seconds apart are seen (a batch may hold longer sequences:
    every window in them is learned from); the future `future` seconds ahead of
    each is predicted; actions are given at `control_hz`. `state` is how the robot's state is
    written: `waves` (position, angles and gripper width, sines and cosines besides the numbers) or
    `gr1` (position and angles as they are, gripper as one of two).
    """

    cameras: tuple[CameraConfig, ...] = (
        CameraConfig("rgb_static", 96),
        CameraConfig("rgb_gripper", 64),
    )
    length: int = 1
    stride: float = 0.3
    future: float = 0.6
    control_hz: float = 10.0
    state: Literal["waves", "gr1"] = "waves"
    language: LanguageConfig = field(default_factory=LanguageConfig)
    images: ImageConfig = field(default_factory=ImageConfig)
    pool: PoolingConfig = field(default_factory=PoolingConfig)
    trunk: TrunkConfig = field(default_factory=TrunkConfig)
    action: ActionConfig = field(default_factory=ActionConfig)
    video: VideoConfig = field(default_factory=VideoConfig)
    loss: LossWeights = field(default_factory=LossWeights)

    def __post_init__(self) -> None:
        for camera in self.cameras:
            if camera.size % self.video.patch:
                raise ValueError(
                    f"{camera.name} is {camera.size} pixels wide, "
                    f"not a multiple of the video patch of {self.video.patch}"
                )
        if (self.images.encoder == "vit") != (self.pool.kind == "perceiver"):
            raise ValueError(
                f"images.encoder={self.images.encoder} does not go with "
                f"pool.kind={self.pool.kind}: write conv with points, or vit with perceiver"
            )

    def check_storable(self) -> None:
        """Raise `ValueError` unless features of pictures can be stored and stand in their place."""
        if self.images.encoder != "vit" or not self.images.frozen:
            raise ValueError(
                "features are stored of a frozen encoder alone, and this one learns: "
                "it needs policy.images.encoder=vit and policy.images.frozen=true"
            )
        if self.video.from_current:
            raise ValueError(
                "video.from_current=true starts from the pictures themselves: "
                "their features cannot stand in their place"
            )
