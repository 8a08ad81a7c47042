"""The base of the methods of `transfer`."""

from pathlib import Path

from tfdream import audio
from tfdream.audio.notes import Examination
from tfdream.config import AnyTransfer
from tfdream.errors import AudioError
from tfdream.runs import RunFolder
from tfdream.synthesis.rendering.notes import log_notes
from tfdream.synthesis.rendering.sidecar import Provenance
from tfdream.synthesis.rendering.tile_recipe import TileRecipe


class StyleTransfer(TileRecipe):
    """A style and a recipe, prepared once for any number of contents.

    Attributes:
      style_path: any audio file, of any length; all of it is used.
      config: the recipe.
      run: the classifier or transfer network, if the recipe uses one.
    """

    config: AnyTransfer
    run: RunFolder | None = None

    def __init__(self, style_path: str | Path, config: AnyTransfer) -> None:
        self.style_path = Path(style_path)
        self.config = config
        self.other_inputs = (self.style_path,)

    def read_notes(self, sample_rate: int) -> None:
        """Add the notes on the style to those of the results.

        Args:
          sample_rate: that of the method, in Hz.

        Raises:
          AudioError: if the style cannot be read or is silent.
        """
        self.input_notes = [f"style: {note}" for note in style_notes(self.style_path, sample_rate)]

    def identify(self, source: str | Path) -> Provenance:
        return {
            "command": "transfer",
            "content": str(source),
            "style": str(self.style_path),
            "run": self.run and self.run.describe(),
        }


def style_notes(path: Path, sample_rate: int) -> list[str]:
    """Return the notes on a style; raise AudioError if it is silent."""
    with audio.Reader(path) as reader:
        examination = Examination(reader.info.sample_rate)
        for _ in examination.observe(reader.blocks()):
            pass
        notes = examination.notes(sample_rate, damage=reader.damage)
    if examination.is_silent:
        raise AudioError(f"style '{path}' is silent; use another recording")
    log_notes(path, notes)
    return notes
