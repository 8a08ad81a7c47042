"""Model cards: origin, training data, licenses and accuracy of a preset."""

from pathlib import Path

import yaml
from pydantic import Field

from tfdream.config import Config, validate
from tfdream.config.base import NotNegative
from tfdream.errors import ConfigError, ModelError
from tfdream.io import documents
from tfdream.io.atomic import write_text

FILE = "card.yaml"


class TrainingData(Config):
    """A collection of recordings that a network was trained on."""

    name: str
    license: str
    """SPDX identifier, or the name of the license."""
    source: str
    """Address at which the recordings can be obtained."""
    hours: NotNegative | None = None


class ModelCard(Config):
    """Description of a preset.

    Source: Mitchell et al., "Model Cards for Model Reporting", section 4, reduced to what users of
    an audio network need.
    """

    title: str
    summary: str
    """Task that the network was trained for, in one or two sentences."""
    source: str
    """Origin of the network, or the command that trains it."""
    license: str
    """License of the weights."""
    training_data: tuple[TrainingData, ...] = Field(min_length=1)
    accuracy: str
    """Measured accuracy, and on what; or that none was measured."""
    dream_layers: tuple[str, ...] = ()
    """Layers that suit dreams, the best one first."""
    citation: str = ""

    def write(self, folder: str | Path) -> None:
        """Write the card into a run folder."""
        content = self.model_dump(mode="json", exclude_defaults=True)
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
        write_text(Path(folder) / FILE, text)

    @classmethod
    def read(cls, folder: str | Path) -> "ModelCard | None":
        """Read the card of a run folder; None if it has none.

        Raises:
          ModelError: if it is damaged.
        """
        path = Path(folder) / FILE
        if not path.exists():
            return None
        try:
            return validate(documents.read_yaml(path), cls, f"'{path}'")
        except (OSError, ValueError, ConfigError) as error:
            raise ModelError(f"the model card '{path}' cannot be read: {error}") from None
