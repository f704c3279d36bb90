"""Learning from demonstrations: behaviour cloning together with the video loss."""

from firsthand.finetune.recipe import FinetuneConfig, finetune

__all__ = ["FinetuneConfig", "finetune"]
