"""Sentences on what may explain a result: its level, and what a recipe does not change."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from tfdream import audio
from tfdream.config import CanvasConfig, OptimizerConfig, RenderConfig

_logger = logging.getLogger(__name__)


def log_notes(path: str | Path, notes: Iterable[str]) -> None:
    """Log the notes on a file as one warning."""
    text = "; ".join(notes)
    if text:
        _logger.warning("'%s': %s", path, text)


def level_notes(written: audio.Written) -> Iterator[str]:
    """Yield a sentence if peaks were attenuated to stay within full scale.

    >>> list(level_notes(audio.Written(8000, 1, 100, 0.999, 0.0, 6.0)))
    ['peaks beyond full scale are reduced by up to 6.0 dB']
    """
    reduction_db = written.peak_reduction_db
    if round(reduction_db, 1) > 0:
        yield f"peaks beyond full scale are reduced by up to {reduction_db:.1f} dB"


def phase_notes(config: RenderConfig, tiles: int) -> Iterator[str]:
    """Yield a sentence if several tiles have phases that were reconstructed separately."""
    canvas: CanvasConfig | None = getattr(config, "canvas", None)
    if canvas is not None and canvas.reconstructs_phase and tiles > 1:
        yield (
            f"the phases of the {tiles} tiles are reconstructed separately, so that the level may "
            "drop where tiles overlap; use longer tiles (tiles.seconds), or "
            "canvas.phase.init=original"
        )


def mask_notes(config: RenderConfig, written: audio.Written) -> Iterator[str]:
    """Yield a sentence if the times that may change are after the end of the output.

    Args:
      config: the recipe.
      written: the output.
    """
    times, end_seconds = config.mask.time_seconds, written.samples / written.sample_rate
    if times is not None and times[0] >= end_seconds:
        yield (
            f"nothing is changed: mask.time_seconds begins at {times[0]:g} s, counted from the "
            f"start of the output, which ends at {end_seconds:.4g} s"
        )


def step_notes(config: RenderConfig) -> Iterator[str]:
    """Yield a sentence if each step may change the samples by full scale or more.

    Args:
      config: the recipe.
    """
    canvas: CanvasConfig | None = getattr(config, "canvas", None)
    optimizer: OptimizerConfig | None = getattr(config, "optimizer", None)
    if canvas is None or optimizer is None or canvas.kind != "waveform" or optimizer.kind == "sgd":
        return
    if optimizer.step_size >= 1:
        yield (
            f"optimizer.step_size={optimizer.step_size:g} is {optimizer.step_size:g} times full "
            "scale for canvas.kind=waveform, so little of the recording remains beside the added "
            "sound; use less, such as 0.001"
        )


def start_notes(config: RenderConfig, written: audio.Written, rate: int) -> Iterator[str]:
    """Yield a sentence if a sound starts from noise or a style, about what it does not replace.

    Args:
      config: the recipe.
      written: the output.
      rate: sample rate of the network, in Hz.
    """
    start = {"noise": "noise", "style": "the style"}.get(getattr(config, "init", "original"))
    parts = ["differences between the channels"] if written.channels > 1 else []
    if written.sample_rate > rate:
        parts.append(f"frequencies above {rate / 2000:g} kHz")
    if start is not None and parts:
        yield (
            f"the sound starts from {start}, but {' and '.join(parts)} remain as in the "
            f"recording; make it mono at {rate} Hz first if nothing of it may remain"
        )
