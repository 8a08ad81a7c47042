"""Run folders: saved models with configuration, labels, weights, metrics and resume state."""

from tfdream.runs.folder import RunFolder
from tfdream.runs.info import FORMAT, RunInfo, versions
from tfdream.runs.tasks import GenerationRun, Run, TransferRun, TranslationRun, open_run

__all__ = [
    "FORMAT",
    "GenerationRun",
    "Run",
    "RunFolder",
    "RunInfo",
    "TransferRun",
    "TranslationRun",
    "open_run",
    "versions",
]
