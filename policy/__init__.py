"""The model: what goes in, the causal trunk, what comes out, acting, saving and loading."""

from policy import torchvision_hook

torchvision_hook.install()
