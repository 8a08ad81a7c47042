"""Recordings of benchmarks: those in a folder, and a small dataset."""

from pathlib import Path

from tfdream import audio, config
from tfdream.corpus.styles import write_corpus
from tfdream.datasets.preparation.prepare import prepare

_SECONDS = 30.0


def prepared(folder: Path) -> tuple[Path, float]:
    """Prepare 5 s clips of sixteen songs; return the dataset and its duration in seconds."""
    songs = write_corpus(folder / "songs", 4, _SECONDS, 22050, seed=0)
    settings = config.load("lil_data", config.Experiment, ["prepare.folds=2"])
    prepare(folder / "songs", folder / "dataset", settings.prepare)
    return folder / "dataset", _SECONDS * len(songs)


def recordings(folder: Path) -> list[Path]:
    """Return the audio files in a folder and its sub-folders, sorted."""
    return [path for path in audio.files_below(folder) if path.suffix.lower() in audio.EXTENSIONS]
