"""Learning without actions: predicting what first-person video shows next."""

from firsthand.pretrain.recipe import PretrainConfig, pretrain

__all__ = ["PretrainConfig", "pretrain"]
