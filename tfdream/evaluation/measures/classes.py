"""The classes that a classifier assigns to a file before and after a change."""

from pathlib import Path
from typing import Any

from tfdream.evaluation.measures.bands import uncovered_band
from tfdream.evaluation.prediction import Judge
from tfdream.runs import Run


class ClassMeasure:
    """Classifies original and result: an `ExtraMeasure` for `compare`.

    Args:
      run: run of the classifier.
      style: audio file with the target style, which is classified too; None if there is none.
    """

    def __init__(self, run: Run, style: str | Path | None = None) -> None:
        self.judge = Judge(run)
        self.style = style

    def __call__(self, original: Path, result: Path) -> dict[str, Any]:
        """Classify both files.

        Returns:
          probabilities_before, probabilities_after and, with a style, probabilities_style: label →
          probability, as in `prediction.predict`; label_before, label_after, label_style: the
          most probable label; probabilities_highest_hz, probabilities_uncovered_db and notes, if a
          file has a band above that of the classifier, see `bands.uncovered_band`.
        """
        paths = {"before": Path(original), "after": Path(result)}
        if self.style is not None:
            paths["style"] = Path(self.style)
        predictions = {when: self.judge.classify_file(path) for when, path in paths.items()}
        return {
            **{f"label_{when}": each.label for when, each in predictions.items()},
            **{f"probabilities_{when}": each.probabilities for when, each in predictions.items()},
            **uncovered_band("probabilities", self.judge.run.sample_rate, paths),
        }
