"""Every choice that makes one policy differ from another, and its default: those of `small`.

Names follow LeRobot's where it has one (`n_obs_steps`, `chunk_size`, `n_action_steps`,
`temporal_ensemble_coeff`). Names of before 0.2.0 are read by `policy.checkpoints.aliases`.
"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class CameraConfig:
    """A camera the policy looks through."""

    name: str
    """Key of its pictures in an observation, such as `rgb_static`."""
    size: int
    """Edge of the square to which its pictures are resized, in pixels."""


@dataclass(frozen=True)
class LanguageConfig:
    """The frozen sentence encoder."""

    encoder: Literal["minilm", "clip"] = "minilm"
    """`minilm`: all-MiniLM-L6-v2 as a package ships it (384 wide, nothing to download). `clip`: the
    text half of CLIP ViT-B/32 (512 wide), part of the policy's own weights."""
    weights: str = ""
    """Where a new policy takes them from: a local file or directory, or a hub name."""

    @property
    def width(self) -> int:
        return {"minilm": 384, "clip": 512}[self.encoder]


@dataclass(frozen=True)
class ImageConfig:
    """What turns one picture into a grid of features, the same weights for every camera."""

    encoder: Literal["conv", "vit"] = "conv"
    """`conv`: a strided stem and residual blocks, the last of them modulated by the instruction
    (FiLM, Perez et al. 2018). `vit`: a timm vision transformer."""
    width: int = 64
    """Channels of `conv`."""
    blocks: int = 2
    """Residual blocks of `conv`."""
    stride: int = 4
    """Pixels between two cells of the grid of `conv`."""
    model: str = "vit_base_patch16_224"
    """timm's name of a `vit`."""
    weights: str = ""
    """Where a new policy takes those of a `vit` from: a local file or directory, or a hub name."""
    frozen: bool = False
    """Whether a `vit` stays as it is."""
    antialias: bool = True
    """Whether pictures of another size are resized (bicubic) with antialiasing: the published
    weights of GR-1 saw them without."""


@dataclass(frozen=True)
class PoolingConfig:
    """What turns a grid of features into a few tokens."""

    kind: Literal["spatial_softmax", "perceiver"] = "spatial_softmax"
    """`spatial_softmax`: attention maps that look for what the instruction names, a token being the
    attended feature and the map's centre (Levine et al. 2016). `perceiver`: a perceiver resampler
    (Flamingo, Alayrac et al. 2022), to which the vision transformer's class token is added."""
    tokens: int = 8
    """Of each picture, without the class token."""
    depth: int = 3
    """Layers of a `perceiver`."""
    heads: int = 4
    """Attention heads of a `perceiver`."""
    head_width: int = 128
    """Channels of each of them."""


@dataclass(frozen=True)
class TrunkConfig:
    """The causal transformer (GR-1, section 3)."""

    width: int = 192
    """Channels of a token."""
    depth: int = 3
    """Layers."""
    heads: int = 6
    """Attention heads of a layer."""
    mlp_ratio: int = 4
    """Channels between a layer's two linear maps, over `width`."""
    activation: Literal["relu", "gelu"] = "relu"
    """Between these two."""
    dropout: float = 0.0
    """Share of channels that are zeroed while learning."""
    intra_step_attention: Literal["full", "causal"] = "full"
    """Whether the observed tokens of one time step see each other all, or only those before them
    (as GR-1 does)."""
    position: Literal["time", "learned", "rotary"] = "time"
    """What tells steps apart. `time`: a learned vector for each step of the window (GR-1).
    `learned`: besides, one for each token of the window (GR1-Training's GPT-2). `rotary`: rotary
    angles by frame, which a window may slide over for ever, so that keys and values can be kept
    from step to step."""

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(
                f"trunk width {self.width} is not a multiple of its {self.heads} heads"
            )


@dataclass(frozen=True)
class ActionConfig:
    """The action head: layers of half the trunk's width, a chunk of actions at a time."""

    chunk_size: int = 10
    """Actions that are predicted at once."""
    activation: Literal["none", "relu"] = "relu"
    """Between the head's layers; GR-1's has none, which makes it one linear map."""
    n_action_steps: int = 3
    """Actions of a chunk that are carried out before the next look."""
    queries: Literal["one", "each"] = "one"
    """Whether a chunk is read off one query, or each of its actions off its own (GR1-Training)."""
    temporal_ensemble_coeff: float | None = None
    """If set, the policy looks at every step and averages what all chunks say of it, the chunk that
    is i-th from the oldest weighing exp(-coeff * i) (ACT, Zhao et al. 2023)."""
    clip: bool = True
    """Whether the arm's numbers are kept within [-1, 1]; the published GR-1 passes them on."""

    def __post_init__(self) -> None:
        if not 1 <= self.n_action_steps <= self.chunk_size:
            raise ValueError(
                f"cannot execute {self.n_action_steps} actions (action.n_action_steps) of a chunk "
                f"of {self.chunk_size} (action.chunk_size)"
            )
        if self.temporal_ensemble_coeff is not None and self.n_action_steps != 1:
            raise ValueError(
                "action.temporal_ensemble_coeff looks at every step: write "
                f"action.n_action_steps=1, not {self.n_action_steps}"
            )


@dataclass(frozen=True)
class VideoConfig:
    """The future-frame decoder: read-only query tokens, then a small transformer."""

    queries: int = 4
    """Of each camera."""
    patch: int = 16
    """Edge of a predicted patch, in pixels."""
    width: int = 128
    """Channels of the decoder's transformer."""
    depth: int = 1
    """Its layers."""
    heads: int = 4
    """Attention heads of a layer."""
    activation: Literal["relu", "gelu"] = "relu"
    """Between a layer's two linear maps."""
    start: Literal["blurs", "features", "mask"] = "blurs"
    """What a prediction starts from. `mask`: learned mask tokens alone, as in GR-1. `features`: the
    current picture's features, and its pixels, to which is added. `blurs`: its pixels and blurs of
    them, mixed and added to as the queries say: what things look like is in the picture, where they
    will be must come through the transformer. (From features a future can be drawn past it.)"""
    target: Literal["pixels", "normalised"] = "pixels"
    """`pixels`, which can be shown, or pixels `normalised` patch by patch (MAE, GR-1)."""
    eps: float = 0.05
    """Added to a patch's standard deviation (of pixels in 0..1) before dividing by it."""
    batch_fraction: float = 0.25
    """While actions are learned as well, the share of a batch for which futures are predicted: a
    frame costs about as much to predict as to act on."""

    def __post_init__(self) -> None:
        if self.start != "mask" and self.target == "normalised":
            raise ValueError(
                f"video.start={self.start} changes pixels: it needs video.target=pixels"
            )
        if self.start == "blurs" and self.patch % 4:
            raise ValueError(
                f"video.patch={self.patch} is no multiple of the 4 pixels in which blurs are mixed"
            )
        if not 0 < self.batch_fraction <= 1:
            raise ValueError(f"video.batch_fraction must lie in (0, 1], not {self.batch_fraction}")


@dataclass(frozen=True)
class NarrationConfig:
    """Losses that tie what is said to what is seen, on narrated video and on demonstrations alike
    (`policy.modules.narration`)."""

    enabled: bool = True
    """Whether the policy has the parts that they need."""
    maps: int = 4
    """How many of a `spatial_softmax`'s maps are drawn to what the sentence names, the first
    ones; the others are left to the other losses."""
    changed: float = 0.04
    """By how much of full brightness a place must change, on average over its pixels, to be among
    those that a sentence may be about."""
    temperature: float = 0.1
    """What cosines are divided by at first, before they are compared; learned."""
    lowest_temperature: float = 0.02
    """What it is kept above."""

    def __post_init__(self) -> None:
        if not 0 < self.lowest_temperature <= self.temperature:
            raise ValueError(
                f"narration.temperature={self.temperature} must be at least "
                f"narration.lowest_temperature={self.lowest_temperature}, and that above 0"
            )
        if self.maps < 1 or not 0 <= self.changed < 1:
            raise ValueError(
                "narration.maps must be 1 or more and narration.changed in [0, 1), "
                f"not {self.maps} and {self.changed}"
            )


@dataclass(frozen=True)
class LossWeights:
    """What each loss counts in the sum."""

    arm: float = 1.0
    """Of smooth L1 on the arm's six numbers."""
    gripper: float = 0.05
    """Of binary cross-entropy on the gripper."""
    video: float = 0.1
    """Of the squared error of predicted patches, averaged over cameras."""
    contrastive: float = 0.01
    """Of telling which sentence is said about which picture (see `narration`)."""
    attention: float = 0.01
    """Of the maps' cross-entropy with the place that a sentence names."""
    pointing: float = 0.01
    """Of the cross-entropy with it of the row and column that the action query tells."""
    arm_beta: float = 0.1
    """Where smooth L1 turns from quadratic to linear, in actions (-1 to 1)."""


@dataclass(frozen=True)
class PolicyConfig:
    """A policy: its senses, its trunk, its outputs."""

    cameras: tuple[CameraConfig, ...] = (
        CameraConfig("rgb_static", 96),
        CameraConfig("rgb_gripper", 64),
    )
    """In the order of their tokens."""
    n_obs_steps: int = 1
    """Frames of history. A batch may hold longer sequences: every window in them is learned."""
    obs_stride_s: float = 0.3
    """Seconds between two of them."""
    horizon_s: float = 2.0
    """Seconds from each frame to the future that is predicted, which is no later than the end of
    what is said about it if `narration` is enabled."""
    control_hz: float = 10.0
    """Actions a second."""
    state: Literal["fourier", "gr1"] = "fourier"
    """How the robot's state is written. `fourier`: position, angles and gripper width, sines and
    cosines besides the numbers. `gr1`: position and angles as they are, gripper as one of two."""
    language: LanguageConfig = field(default_factory=LanguageConfig)
    """Turns an instruction into a vector."""
    images: ImageConfig = field(default_factory=ImageConfig)
    """Turns a picture into a grid of features."""
    pool: PoolingConfig = field(default_factory=PoolingConfig)
    """Turns a grid into a few tokens."""
    trunk: TrunkConfig = field(default_factory=TrunkConfig)
    """Reads the tokens of the window."""
    action: ActionConfig = field(default_factory=ActionConfig)
    """Turns its outputs into a chunk of actions."""
    video: VideoConfig = field(default_factory=VideoConfig)
    """Turns its outputs into predicted pictures."""
    narration: NarrationConfig = field(default_factory=NarrationConfig)
    """Ties what is said about video to what is seen in it."""
    loss: LossWeights = field(default_factory=LossWeights)
    """How much each loss counts."""

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
                f"pool.kind={self.pool.kind}: write conv with spatial_softmax, vit with perceiver"
            )

    def check_storable(self) -> None:
        """Raise `ValueError` unless features of pictures can be stored and stand in their place."""
        if self.images.encoder != "vit" or not self.images.frozen:
            raise ValueError(
                "features are stored of a frozen encoder alone, and this one learns: "
                "it needs policy.images.encoder=vit and policy.images.frozen=true"
            )
        if self.narration.enabled:
            raise ValueError(
                "narration.enabled=true looks for what changes in the pictures themselves: "
                "their features cannot stand in their place"
            )
        if self.video.start != "mask":
            raise ValueError(
                f"video.start={self.video.start} starts from the pictures themselves: "
                "their features cannot stand in their place"
            )
