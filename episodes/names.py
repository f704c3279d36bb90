"""Names of cameras and signals that a store can hold."""

import re


def plain_name(name: str) -> str:
    """A foreign name with everything but letters, digits, '_', '-' and '.' made an underscore."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)
