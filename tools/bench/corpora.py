"""Recordings of benchmarks: those in a folder, and a small dataset."""

from pathlib import Path

from tfdream import audio, config
from tfdream.corpus.styles import write_corpus
from tfdream.datasets.preparation.prepare import prepare


def prepared(folder: Path, seconds: float = 30.0) -> tuple[Path, float]:
    """Prepare 5 s clips of sixteen songs of a length; return the dataset and its duration."""
    songs = write_corpus(folder / "songs", 4, seconds, 22050, seed=0)
    settings = config.load("lil_data", config.Experiment, ["prepare.folds=2"])
    prepare(folder / "songs", folder / "dataset", settings.prepare)
    return folder / "dataset", seconds * len(songs)


def recordings(folder: Path) -> list[Path]:
    """Return the audio files in a folder and its sub-folders, sorted."""
    return [path for path in audio.files_below(folder) if path.suffix.lower() in audio.EXTENSIONS]
