from .folder import RunFolder
from .info import FORMAT, RunInfo, versions
from .tasks import GenerationRun, Run, TransferRun, TranslationRun, open_run

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
