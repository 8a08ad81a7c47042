"""Recipes that change files tile by tile: from a source to an output, its tag and its sidecar."""

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfdream.config import RenderConfig
from tfdream.config.curves import followed
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.synthesis.rendering import sidecar, tags
from tfdream.synthesis.rendering.options import DEFAULT_RENDER, RenderOptions
from tfdream.synthesis.rendering.process import check_outputs, process_file
from tfdream.synthesis.rendering.processor import TileProcessor
from tfdream.synthesis.rendering.sidecar import Provenance
from tfdream.synthesis.rendering.sources import Source, prepared


class TileRecipe(abc.ABC):
    """A recipe and its networks, prepared once for any number of files; a `batch.FileRecipe`.

    Attributes:
      config: the recipe.
      other_inputs: files other than the source, which no output may replace; None is ignored.
      input_notes: notes on these files.
    """

    config: RenderConfig
    other_inputs: Sequence[Path | None] = ()
    input_notes: Sequence[str] = ()

    @abc.abstractmethod
    def processor(self, source: Source) -> TileProcessor:
        """Build the processor of the tiles of a source, with its curves.

        Raises:
          AudioError, ConfigError, ModelError: if the file or the settings do not fit.
        """

    @abc.abstractmethod
    def identify(self, source: str | Path) -> Provenance:
        """Return the command and its inputs, which determine an output beside the settings."""

    def details(self, processor: TileProcessor) -> dict[str, Any]:
        """Return further entries of the result."""
        return {}

    def prepare(self, source: str | Path, options: RenderOptions = DEFAULT_RENDER) -> TileProcessor:
        """Build the processor of a file without curves."""
        return self.processor(Source(Path(source), options.start_seconds, options.seconds))

    def provenance(self, source: str | Path, options: RenderOptions = DEFAULT_RENDER) -> Provenance:
        """Return the inputs and settings that determine the output of a file."""
        settings = {"config": self.config.model_dump(mode="json"), **options.settings()}
        return tags.with_inputs(self.identify(source) | settings)

    def __call__(
        self,
        source: str | Path,
        output: str | Path,
        options: RenderOptions = DEFAULT_RENDER,
        progress: ProgressFn = no_progress,
    ) -> dict[str, Any]:
        """Change a file, and measure the written file.

        Args:
          source: any audio file, of any length.
          output: wav, flac or ogg, by its extension; with the source's rate and channels. Its
            sidecar ``<output>.json`` contains all settings and measures.
          options: range and component of the source, format, snapshots, and whether to overwrite.
          progress: receives finished and all steps; if it returns True, the rest stays unchanged.

        Returns:
          The JSON object of the command: the result of `process_file` and `details`.

        Raises:
          AudioError, ConfigError: if the file or the settings do not fit.
        """
        source, output = Path(source), Path(output)
        recordings = (*options.stems.values(), *followed(self.config.curves))
        inputs = (source, *self.other_inputs, *recordings)
        sidecar.check_output(output, options.bits, options.force, inputs)
        with prepared(source, options, self.config) as processed:
            processor = self.processor(processed)
            check_outputs(output, options, processor.steps, inputs)
            provenance = self.provenance(source, options)
            with sidecar.claim(output, provenance):
                tagged = tags.tagged(options, provenance)
                result = process_file(processed, output, processor, self.config, tagged, progress)
                result |= self.details(processor)
                result["notes"] += self.input_notes
                sidecar.write(output, provenance, result)
        return result
