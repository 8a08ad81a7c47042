"""Axes with one row for each label: bounded in size, whatever the number of labels."""

from collections.abc import Sequence

from tfdream.figures.parts.sheet import shorten

MAX_ROWS = 40
"""Figures of more labels do not become larger and have no number for each label."""
_MAX_NAMES = 80
_MAX_LABEL_LENGTH = 32


def scaled_rows(labels: int) -> int:
    """Return for how many labels a figure has space: all of them, or `MAX_ROWS`.

    >>> scaled_rows(3), scaled_rows(200)
    (3, 40)
    """
    return min(labels, MAX_ROWS)


def name_step(labels: int) -> int:
    """Return the distance of the labels whose names are drawn; 1 names every label.

    >>> name_step(80), name_step(200)
    (1, 3)
    """
    return -(-labels // _MAX_NAMES)


def ticks(names: Sequence[str]) -> tuple[range, list[str]]:
    """Return the positions and the shortened names of the ticks of an axis of labels.

    >>> ticks(["jazz", "rock"])
    (range(0, 2), ['jazz', 'rock'])
    """
    step = name_step(len(names))
    shown = [shorten(name, _MAX_LABEL_LENGTH) for name in names[::step]]
    return range(0, len(names), step), shown


def axis_label(text: str, labels: int) -> str:
    """Return the label of an axis of labels; with a note if only some names are drawn.

    >>> axis_label("truth", 200)
    'truth (one name of 3 is shown)'
    """
    step = name_step(labels)
    return text if step == 1 else f"{text} (one name of {step} is shown)"
