import numpy as np
import pytest
import soundfile


@pytest.fixture
def album(tmp_path):
    """Two short recordings in a folder, one of them in a folder of its own, and a bad one."""
    rng = np.random.default_rng(0)
    (tmp_path / "album/live").mkdir(parents=True)
    for name in ("b.wav", "live/a.flac"):
        soundfile.write(tmp_path / "album" / name, rng.uniform(-0.1, 0.1, 8000), 8000, "PCM_16")
    (tmp_path / "album/bad.wav").write_text("no sound")
    (tmp_path / "album/notes.txt").write_text("no sound either")
    return tmp_path / "album"
