"""The model: what goes in, the causal trunk, what comes out, acting, saving and loading."""

from firsthand.policy import _torchvision

_torchvision.install()
