"""Which attention kernel is fast on this processor: torch's fused one against plain products.

    python -m firsthand.benchmarks.attention

Processor time on one thread, the best of several tries that take turns, at the shapes that the
policies have. `policy.modules.transformer.SHORT` rests on this table.
"""

import time

import torch
import torch.nn.functional as F  # noqa: N812
from rich.console import Console
from rich.table import Table
from torch.nn.attention import SDPBackend, sdpa_kernel

WIDTH, TRIES = 32, 8
KERNELS = (SDPBackend.FLASH_ATTENTION, SDPBackend.MATH)
LEARNING = [(48, 6, length, length) for length in (18, 40, 128, 256, 512)] + [(4, 12, 430, 220)]
# What `gr1` does while it acts, from a whole window and from one frame; the last are `small`'s.
ACTING = [(1, 12, 221, 220), (1, 12, 23, 220), (8, 12, 23, 220), (1, 12, 23, 66), (1, 6, 18, 18)]


def milliseconds(
    shape: tuple[int, int, int, int], dtype: torch.dtype, learn: bool
) -> dict[SDPBackend, float]:
    """The shortest pass (forward, and backward if `learn`) of each kernel under a random mask.

    shape: batch, heads, queries, keys.
    """
    batch, heads, queries, keys = shape
    q, k, v = (
        torch.randn(batch, heads, length, WIDTH, dtype=dtype, requires_grad=learn)
        for length in (queries, keys, keys)
    )
    mask = torch.rand(batch, 1, queries, keys) < 0.7
    mask[..., 0] = True
    taken = {kernel: float("inf") for kernel in KERNELS}
    for _ in range(TRIES):
        for kernel in KERNELS:
            with sdpa_kernel(kernel):
                begun = time.process_time()
                y = F.scaled_dot_product_attention(q, k, v, mask)
                if learn:
                    y.sum().backward()
                taken[kernel] = min(taken[kernel], time.process_time() - begun)
    return {kernel: 1000 * seconds for kernel, seconds in taken.items()}


def main() -> None:
    torch.set_num_threads(1)
    columns = ("pass", "batch", "heads", "queries", "keys", "type", "fused, ms", "plain, ms")
    table = Table(*columns, "fused / plain")
    for learn, shapes in ((True, LEARNING), (False, ACTING)):
        for shape in shapes:
            for dtype in (torch.float32, torch.bfloat16):
                fused, plain = milliseconds(shape, dtype, learn).values()
                table.add_row(
                    "forward, backward" if learn else "forward",
                    *map(str, shape),
                    str(dtype).removeprefix("torch."),
                    f"{fused:.2f}",
                    f"{plain:.2f}",
                    f"{fused / plain:.1f}",
                )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
