"""What was written before version 0.2.0, or while it was made, is still read.

Settings: dotted keys of a policy's configuration, as `policy.config.PolicyConfig` has them.
Weights: how the names in a policy's state dict began, up to version 2 of its files.
Tags: how the names of logged metrics began.
"""

from collections.abc import Mapping
from typing import Any

KEYS = {
    "length": "n_obs_steps",
    "stride": "obs_stride_s",
    "future": "horizon_s",
    "trunk.within_step": "trunk.intra_step_attention",
    "action.chunk": "action.chunk_size",
    "action.execute": "action.n_action_steps",
    "action.ensemble": "action.temporal_ensemble_coeff",
    "video.from_current": "video.start",
    "video.residual": "video.start",
    "video.floor": "video.eps",
    "video.share": "video.batch_fraction",
}
VALUES = {
    "state": {"waves": "fourier"},
    "pool.kind": {"points": "spatial_softmax"},
    "trunk.position": {"slot": "time", "token": "learned"},
    "video.start": {"true": "features", "false": "mask"},
}
WEIGHTS = {
    "embed_picture.": "image_proj.",
    "embed_slot.": "camera_slot_embed.",
    "embed_summary.": "cls_proj.",
}
TAGS = {"held_out/": "val/"}


def today(config: Mapping[str, Any], parent: str = "") -> dict[str, Any]:
    """A policy's (nested) configuration by today's names."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        key = f"{parent}{name}"
        if isinstance(value, Mapping):
            found[name] = today(value, f"{key}.")
        else:
            new, value = _renamed(key, value)
            found[new.removeprefix(parent)] = value
    return found


def before_narration(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a policy that was written (up to version 3) before policies had
    `policy.modules.narration`."""
    return {"narration": {"enabled": False}, **config}


def today_flat(settings: Mapping[str, Any], prefix: str = "policy.") -> dict[str, Any]:
    """Settings by dotted names, those below `prefix` by today's."""
    found = {}
    for name, value in settings.items():
        if name.startswith(prefix):
            new, value = _renamed(name.removeprefix(prefix), value)
            name = prefix + new
        found[name] = value
    return found


def today_word(word: str, prefix: str = "policy.") -> str:
    """A word of the command line, `policy.length=3`, by today's name."""
    name, sign, value = word.partition("=")
    if not name.startswith(prefix):
        return word
    new, value = _renamed(name.removeprefix(prefix), value)
    return f"{prefix}{new}{sign}{value}"


def today_tag(tag: str) -> str:
    """A metric's name in logs and checkpoints."""
    return _begun(tag, TAGS)


def today_tags(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """A line of `metrics.jsonl`, or the metrics of a checkpoint, by today's names."""
    return {today_tag(tag): value for tag, value in metrics.items()}


def today_weight(name: str) -> str:
    """A parameter's name in a policy's state dict."""
    return _begun(name, WEIGHTS)


def weight_of_before(name: str) -> str:
    """The name that a parameter had up to version 2: hashes of weights are taken under it."""
    return _begun(name, {now: before for before, now in WEIGHTS.items()})


def _begun(name: str, beginnings: Mapping[str, str]) -> str:
    """A name with another beginning, if it has one of these."""
    for one, other in beginnings.items():
        if name.startswith(one):
            return other + name.removeprefix(one)
    return name


def _renamed(key: str, value: Any) -> tuple[str, Any]:
    new = KEYS.get(key, key)
    word = str(value).lower() if isinstance(value, bool) else value
    return new, VALUES.get(new, {}).get(word, value) if isinstance(word, str) else value
