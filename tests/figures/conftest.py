"""Helpers for the tests of figures: they inspect matplotlib's objects instead of files."""

import pytest


class Inspected:
    """The texts of a figure that tests look at."""

    def __init__(self, figure):
        self.figure = figure
        self.axes = figure.get_axes()

    @property
    def titles(self):
        return [axis.get_title() for axis in self.axes if axis.get_title()]

    @property
    def labels(self):
        """The labels of all axes, color scales included."""
        labels = [each for axis in self.axes for each in (axis.get_xlabel(), axis.get_ylabel())]
        return {label for label in labels if label}

    @property
    def legend(self):
        """The texts of all legends."""
        legends = [*self.figure.legends, *(axis.get_legend() for axis in self.axes)]
        return [text.get_text() for legend in legends if legend for text in legend.get_texts()]


@pytest.fixture(scope="module", autouse=True)
def _without_layout():
    """Draw figures with their layout here, unlike in the tests of other packages."""


@pytest.fixture(scope="session")
def inspect_figure():
    """A function that returns the texts of a figure, after its drawing, which must not raise.

    Drawing computes the layout; it takes a second for each hundred texts, and can be left out.
    """

    def inspect(figure, draw=True):
        if draw:
            figure.draw_without_rendering()
        return Inspected(figure)

    return inspect
