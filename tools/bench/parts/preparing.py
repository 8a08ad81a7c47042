"""`prepare`, compared with decoding and resampling by librosa, in one process each."""

from pathlib import Path

import librosa
from timing import Cost, compare

from tfdream import config
from tfdream.corpus.styles import write_corpus
from tfdream.datasets.preparation.prepare import PrepareOptions, prepare

_SECONDS = 30.0


def measure(folder: Path) -> list[Cost]:
    """Prepare sixteen songs at 44.1 kHz."""
    songs = write_corpus(folder / "songs", 4, _SECONDS, 44100, seed=0)
    settings = config.load("lil_data", config.Experiment).prepare.model_copy(update={"folds": 2})
    cost = compare(
        "recordings to shards",
        lambda: prepare(
            folder / "songs", folder / "dataset", settings, PrepareOptions(workers=1, force=True)
        ),
        "librosa.load of the same files",
        lambda: [librosa.load(song, sr=settings.sample_rate) for song in songs],
        rounds=3,
        audio_seconds=_SECONDS * len(songs),
    )
    return [cost]
