"""Read a source of any layout: select or detect the layout, then list the tracks."""

from collections.abc import Mapping
from pathlib import Path

from tfdream.config import validate
from tfdream.config.registry import sections
from tfdream.datasets.sources.layouts.base import Layout
from tfdream.datasets.sources.tracks import Source, first_reasons
from tfdream.errors import ConfigError, DatasetError

AUTO = "auto"
"""The name that selects the detected layout."""


def layouts() -> dict[str, type[Layout]]:
    """Return all layouts by name.

    >>> list(layouts())
    ['csv', 'fma', 'folder', 'gtzan']
    """
    return sections("tfdream.datasets.sources.layouts", Layout)


def read_source(
    source: str | Path, layout: Layout | str = AUTO, ignore_folds: bool = False
) -> Source:
    """List the tracks of a source.

    Args:
      source: a folder with one sub-folder per label, a CSV manifest, a folder with a
        ``manifest.csv``, or a published collection: see `layouts`.
      layout: a layout, its name, or ``auto`` to detect it.
      ignore_folds: remove the folds that the source specifies.

    Raises:
      DatasetError: if the source has no tracks or does not have the layout, or if `ignore_folds` is
        set and the source specifies no folds.
    """
    source = Path(source)
    if isinstance(layout, str):
        layout = select_layout(source, layout)
    elif not source.exists():
        raise DatasetError(f"source '{source}' does not exist")
    tracks, skipped = layout.read(source)
    if not tracks:
        reasons = first_reasons(skipped)
        raise DatasetError(
            f"source '{source}' has no audio in the layout '{layout.kind}'"
            f"{f' ({reasons})' if reasons else ''}; "
            "put files into one sub-folder per label, or write a manifest with path,label,group"
        )
    if ignore_folds:
        if all(track.fold is None for track in tracks):
            raise DatasetError(f"source '{source}' specifies no folds; remove --deal-folds")
        tracks = [track._replace(fold=None) for track in tracks]
    return Source(tracks, skipped)


def select_layout(
    source: str | Path, name: str = AUTO, options: Mapping[str, object] | None = None
) -> Layout:
    """Return the layout of a source.

    Args:
      source: the source.
      name: the name of a layout, or ``auto`` to detect it.
      options: settings of the layout.

    Raises:
      DatasetError: if the source or the layout does not exist, or the layout does not have one of
        the options, or not this value of it.
    """
    source = Path(source)
    if not source.exists():
        raise DatasetError(f"source '{source}' does not exist")
    available = layouts()
    if name == AUTO:
        name = detect_layout(source)
    elif name not in available:
        raise DatasetError(f"layout '{name}' is not one of: {AUTO}, {', '.join(available)}")
    for option in options or {}:
        owners = [kind for kind, layout in available.items() if option in layout.model_fields]
        if name not in owners:
            raise DatasetError(
                f"--{option.replace('_', '-')} belongs to --layout {' or '.join(owners) or 'none'}"
                f", but this layout is '{name}'"
            )
    try:
        return validate({**(options or {}), "kind": name}, available[name], f"layout '{name}'")
    except ConfigError as error:
        raise DatasetError(str(error)) from None


def detect_layout(source: Path) -> str:
    """Return the name of the layout that matches a source most specifically.

    Raises:
      DatasetError: if several published collections match.
    """
    matches = {name: layout.match(source) for name, layout in layouts().items()}
    best = max(matches.values())
    names = [name for name, match in matches.items() if match == best]
    if len(names) > 1:
        raise DatasetError(
            f"source '{source}' matches {' and '.join(names)}; use --layout {' or '.join(names)}"
        )
    return names[0]
