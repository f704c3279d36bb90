"""The image encoder of a robot policy, borrowed to ground words with."""

from dataclasses import replace

from firsthand.grounding.config import VisionConfig
from firsthand.grounding.image_encoder import PolicyVision
from firsthand.policy.checkpoints.storage import load_policy

IMAGES = "images."  # how a policy calls the weights of its encoder


def with_policy_encoder(config: VisionConfig) -> VisionConfig:
    """The same, with the encoder of the policy that `weights` names, if they name one.

    Raises:
        ValueError: there is no policy, or a file of it is missing or damaged, by name.
    """
    if config.encoder != "policy" or not config.weights:
        return config
    policy = load_policy(config.weights)[0]
    return replace(config, images=policy.images, instruction=policy.language.width)


def load_policy_encoder(vision: PolicyVision) -> None:
    """Give an encoder the weights of the policy that its `weights` name.

    Raises:
        ValueError: as for `with_policy_encoder`, or the encoder is of another kind, by the names
            of its weights.
    """
    found = load_policy(vision.config.weights)[2]
    vision.take_over({n.removeprefix(IMAGES): v for n, v in found.items() if n.startswith(IMAGES)})
