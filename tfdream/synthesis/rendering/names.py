"""Names of outputs in a folder."""

import itertools
import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tfdream import audio
from tfdream.errors import ConfigError
from tfdream.synthesis.rendering import sidecar

FIELDS = ("stem", "command", "config", "model", "seed")
"""Fields of a pattern: the source's name without extension, and settings of the call."""
_DEFAULT_EXTENSION = ".flac"
"""Extension of outputs whose source has a format that cannot be written."""


@dataclass(frozen=True)
class Names:
    """Names of outputs.

    Attributes:
      pattern: name without extension, with `FIELDS` in braces.
      fields: values of the fields, except ``stem``.
      number: add -1, -2, … to the names of outputs that exist, so that none is replaced.

    Raises:
      ConfigError: if the pattern has another field, or is not the name of a file.

    >>> Names("{stem}-{config}", {"config": "dream/intense"}).of(Path("music/song.mp3"))
    'song-dream-intense.flac'
    """

    pattern: str = "{stem}"
    fields: Mapping[str, str] = field(default_factory=dict)
    number: bool = False

    def __post_init__(self) -> None:
        try:
            parts = list(string.Formatter().parse(self.pattern))
        except ValueError as error:
            raise ConfigError(f"name '{self.pattern}': {error}") from None
        for _, name, format_spec, conversion in parts:
            if name is not None and (name not in FIELDS or format_spec or conversion):
                braces = ", ".join(f"{{{each}}}" for each in FIELDS)
                raise ConfigError(f"name '{self.pattern}' has a field other than {braces}")
        if "/" in self.pattern or "\\" in self.pattern or self.pattern.strip(". ") == "":
            raise ConfigError(f"name '{self.pattern}' is not the name of a file; remove folders")

    def of(self, source: Path) -> str:
        """Return the name of an output: in the format of its source if that can be written."""
        suffix = source.suffix.lower()
        return self.stem(source) + (suffix if audio.is_writable(suffix) else _DEFAULT_EXTENSION)

    def with_extension_of(self, source: Path) -> str:
        """Return a name that differs for sources which differ in the extension only."""
        return self.stem(source) + source.suffix + _DEFAULT_EXTENSION

    def stem(self, source: Path) -> str:
        """Return the name of an output without its extension."""
        values = dict.fromkeys(FIELDS, "") | dict(self.fields) | {"stem": source.stem}
        plain = {name: value.replace("/", "-").replace("\\", "-") for name, value in values.items()}
        return self.pattern.format_map(plain)

    def free(self, output: Path, taken: Collection[Path] = ()) -> Path:
        """Return a path that no output has, if outputs are numbered; otherwise `output` itself."""
        if not self.number:
            return output
        numbered = (output.with_stem(f"{output.stem}-{count}") for count in itertools.count(1))
        return next(
            path
            for path in itertools.chain([output], numbered)
            if path not in taken and not path.exists() and not sidecar.path_of(path).exists()
        )


PLAIN = Names()
