"""In which number format the products of a pass are taken."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from firsthand.training.config import Precision


@dataclass(frozen=True)
class MixedPrecision:
    """The device and the format of matrix products on it; weights are always fp32."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def choose(cls, precision: Precision, device: torch.device) -> "MixedPrecision":
        """auto: bfloat16 where the processor multiplies it natively (AMX, AVX-512 BF16, CUDA)."""
        native = precision == "bf16"
        if precision == "auto":
            native = _multiplies_bf16(device)
        return cls(device, torch.bfloat16 if native else torch.float32)

    def autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16
        )


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))
