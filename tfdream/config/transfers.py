"""Loading recipes of transfers; their key `method` selects the schema."""

from collections.abc import Iterable
from pathlib import Path

from tfdream.config.loading import read, select_schema, validate
from tfdream.config.musaic import MusaicConfig
from tfdream.config.recipes import RhythmConfig, TimbreConfig, TransferConfig

AnyTransfer = TransferConfig | TimbreConfig | RhythmConfig | MusaicConfig
_DEFAULT = "gradient"
_SCHEMAS: dict[
    str, type[TransferConfig] | type[TimbreConfig] | type[RhythmConfig] | type[MusaicConfig]
] = {
    _DEFAULT: TransferConfig,
    "timbre": TimbreConfig,
    "rhythm": RhythmConfig,
    "musaic": MusaicConfig,
}


def load_transfer(name_or_path: str | Path, overrides: Iterable[str] = ()) -> AnyTransfer:
    """Read the recipe of a transfer of any method; see `load`.

    >>> load_transfer("transfer/timbre").style_strength
    1.0
    """
    content = read(name_or_path, overrides, TransferConfig.packaged_in)
    origin = f"config '{name_or_path}'"
    return validate(content, select_schema(content, "method", _SCHEMAS, _DEFAULT, origin), origin)
