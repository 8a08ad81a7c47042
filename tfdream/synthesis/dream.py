"""`dream`: let a network hear more of what it hears in a recording already."""

from pathlib import Path
from typing import Any

from tfdream import models
from tfdream.config import DreamConfig
from tfdream.synthesis import objectives
from tfdream.synthesis.recording import (
    Progress,
    build_retouch,
    change_recording,
    check_output,
    silent,
    write_sidecar,
)
from tfdream.training.runs import Run


def dream(
    source: Path,
    output: Path,
    run: Run,
    config: DreamConfig,
    force: bool = False,
    bits: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Change a recording so that the objective rises, and measure the written file.

    Args:
      source: any audio file, of any length.
      output: wav, flac or ogg, by its extension; of the source's rate, length and channels. Beside
        it goes a sidecar, ``<output>.json``, with all settings and measures.
      run: the network.
      config: objective, canvas, octaves, optimiser and tiles.
      force: overwrite `output`.
      bits: of the output, see `audio.Writer`.
      progress: hears how far it is.

    Returns:
      The JSON object of the command: objective_before, objective_after (as the optimiser left it),
      objective_rendered (of the written file), and what `recording.change_recording` adds.

    Raises:
      AudioError, ConfigError, ModelError: if the file or the settings do not fit.

    Source: "Dreaming in Music", section III-C.
    """
    check_output(output, bits, force)
    objective = objectives.parse(config.objective, models.deepest_convolution(run.model))
    retouch = build_retouch(run, config, lambda size: (objective, {"objective": objective}), source)
    result = change_recording(source, output, run, retouch, bits, progress)
    write_sidecar(output, "dream", config, result, source=str(source), run=run.describe())
    return result
