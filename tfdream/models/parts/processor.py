"""What the processor can do."""

import logging
from pathlib import Path

import tensorflow as tf

logger = logging.getLogger(__name__)

_CPUINFO = Path("/proc/cpuinfo")
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}


def multiplies_bfloat16(cpuinfo: Path = _CPUINFO) -> bool | None:
    """Whether it has products of bfloat16; None where the system does not tell."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    flags = {
        flag
        for line in lines
        if line.lower().startswith(("flags", "features"))
        for flag in line.partition(":")[2].split()
    }
    return bool(flags & _BFLOAT16) if flags else None


def warn_of_slow_bfloat16(setting: str) -> None:
    """Say so where bfloat16 would be computed in many steps of float32.

    Args:
      setting: that asks for it, such as ``precision=bfloat16``.
    """
    if not tf.config.list_logical_devices("GPU") and multiplies_bfloat16() is False:
        logger.warning(
            "this processor has no products of bfloat16: without %s it would be many times as fast",
            setting,
        )
