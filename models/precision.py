"""In how many bits a model computes: float32, or bfloat16 where the processor has units for it.

float32 is the default everywhere: one model version then says the same about an image on every
worker. bfloat16 is asked for by name, and refused where it would only be slower.
"""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
from typing import Literal

import torch

from models.errors import PrecisionError

Precision = Literal["float32", "bfloat16"]

_PROCESSOR_UNITS = ("avx512_bf16", "amx_bf16")


def has_bfloat16(device: str) -> bool:
    """Whether the device multiplies bfloat16 in hardware."""
    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    units = torch.cpu.get_capabilities()
    return any(units.get(name, False) for name in _PROCESSOR_UNITS)


def dtype_of(precision: Precision, device: str) -> torch.dtype:
    """Return the type of the model's weights; raises PrecisionError where it does not pay."""
    if precision == "float32":
        return torch.float32
    if not has_bfloat16(device):
        raise PrecisionError(
            f"This {'GPU' if device.startswith('cuda') else 'processor'} has no units for "
            "bfloat16, so it would be several times slower than float32; "
            "set REREAD_PRECISION=float32, or leave it out."
        )
    return torch.bfloat16
