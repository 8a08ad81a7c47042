"""What a classifier hears in a recording before and after a change."""

from pathlib import Path
from typing import Any

from tfdream.evaluation.classification import Judge
from tfdream.runs import Run


class ClassMeasure:
    """What a classifier hears in original and result: an opinion for `modification.compare`.

    Args:
      run: of the classifier.
      style: a recording that it hears beside them, if there is one.
    """

    def __init__(self, run: Run, style: Path | None = None) -> None:
        self.judge = Judge(run)
        self.style = style

    def __call__(self, original: Path, result: Path) -> dict[str, Any]:
        """Judge both.

        Returns:
          probabilities_before, probabilities_after and, with a style, probabilities_style: label →
          probability, as `classification.predict` has them; label_before, label_after, label_style:
          the likeliest one.
        """
        paths = {"before": original, "after": result}
        if self.style is not None:
            paths["style"] = self.style
        heard = {when: self.judge.hear(path) for when, path in paths.items()}
        return {
            **{f"label_{when}": each.label for when, each in heard.items()},
            **{f"probabilities_{when}": each.probabilities for when, each in heard.items()},
        }
