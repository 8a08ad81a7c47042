"""Measures of a result that need a recording with the target style, or a classifier."""

from pathlib import Path

from tfdream.evaluation.compare import ExtraMeasure


def optional_measures(
    style: str | Path | None = None, classifier: str | Path | None = None
) -> list[ExtraMeasure]:
    """Return further measures for `evaluation.compare.compare`.

    TensorFlow is imported only if there are any.

    Args:
      style: audio file with the target style.
      classifier: run folder of a classifier, or the name of a preset.
    """
    style = None if style is None else Path(style)
    measures: list[ExtraMeasure] = []
    if style is not None:
        from tfdream.evaluation.measures.beat_spectrum import BeatSimilarity
        from tfdream.evaluation.measures.style import StyleDistance

        measures += [StyleDistance(style), BeatSimilarity(style)]
    if classifier is not None:
        from tfdream.evaluation.measures.classes import ClassMeasure
        from tfdream.runs import Run

        measures.append(ClassMeasure(Run.open(classifier), style))
    return measures
