"""Capabilities of the processor."""

import logging
from pathlib import Path

import tensorflow as tf

logger = logging.getLogger(__name__)

_CPUINFO = Path("/proc/cpuinfo")
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}


def multiplies_bfloat16(cpuinfo: Path = _CPUINFO) -> bool | None:
    """Return whether the processor multiplies bfloat16 in hardware; None if that is unknown.

    Args:
      cpuinfo: file that lists the processor's flags, as Linux has it.
    """
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
    """Log a warning if bfloat16 is emulated: neither a GPU nor the processor multiplies it.

    Args:
      setting: setting that selects bfloat16, such as ``precision=bfloat16``.
    """
    if not tf.config.list_logical_devices("GPU") and multiplies_bfloat16() is False:
        logger.warning(
            "this processor does not multiply bfloat16 in hardware; without %s the computation is "
            "many times faster",
            setting,
        )
