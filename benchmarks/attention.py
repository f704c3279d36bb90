"""Which attention kernel is fast on this processor: torch's fused one against plain products.

    python -m benchmarks.attention

Forward and backward on one thread in bfloat16, processor time, the best of several tries, at the
lengths that the policies have. `policy.attention.SHORT` rests on this table.
"""

import time

import torch
import torch.nn.functional as F  # noqa: N812
from rich.console import Console
from rich.table import Table
from torch.nn.attention import SDPBackend, sdpa_kernel

BATCH, HEADS, WIDTH = 48, 6, 32
LENGTHS = (18, 40, 128, 256, 512)
TRIES = 6


def milliseconds(backend: SDPBackend, length: int) -> float:
    """The shortest forward and backward pass over `length` queries and keys."""
    q, k, v = (
        torch.randn(BATCH, HEADS, length, WIDTH, dtype=torch.bfloat16, requires_grad=True)
        for _ in range(3)
    )
    taken = []
    with sdpa_kernel(backend):
        for _ in range(TRIES):
            begun = time.process_time()
            F.scaled_dot_product_attention(q, k, v).sum().backward()
            taken.append(time.process_time() - begun)
    return 1000 * min(taken)


def main() -> None:
    torch.set_num_threads(1)
    table = Table("tokens", "fused, ms", "plain, ms", "fused / plain")
    for length in LENGTHS:
        fused = milliseconds(SDPBackend.FLASH_ATTENTION, length)
        plain = milliseconds(SDPBackend.MATH, length)
        table.add_row(str(length), f"{fused:.2f}", f"{plain:.2f}", f"{fused / plain:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
