"""Audio files with changed headers, data and lengths, of every format that can be made here."""

import numpy as np
import pytest
import soundfile
from fuzzing import edits, fuzz, mutate
from hypothesis import strategies as st
from strategies import noise

from tfdream import audio
from tfdream.errors import TfdreamError

RATE = 8000
SAMPLES = 2000
FORMATS = {
    "pcm.wav": {"subtype": "PCM_16"},
    "float.wav": {"subtype": "FLOAT"},
    "adpcm.wav": {"subtype": "MS_ADPCM"},
    "a.flac": {},
    "a.mp3": {},
    "vorbis.ogg": {"subtype": "VORBIS"},
    "opus.ogg": {"subtype": "OPUS"},
    "a.aiff": {},
    "a.au": {},
    "a.caf": {},
}
# With PyAV, further containers are read.
CONTAINERS = {"a.m4a": "aac", "a.mka": "libopus", "a.wma": "wmav2", "a.webm": "libopus"}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Names and contents of valid files."""
    folder = tmp_path_factory.mktemp("valid")
    samples = noise(SAMPLES, 2, 0.5)
    for name, options in FORMATS.items():
        soundfile.write(folder / name, samples, RATE, **options)
    try:
        import av
    except ImportError:
        pass
    else:
        for name, codec in CONTAINERS.items():
            encode(av, folder / name, codec)
    return [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]


def encode(av, path, codec):
    rate, frame_samples = 48_000, 960
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        stream.bit_rate = 64_000
        convert = av.AudioResampler(stream.codec_context.format, "stereo", rate)
        for start in range(0, 5 * frame_samples, frame_samples):
            values = np.ascontiguousarray(noise(frame_samples, 2, 0.5, seed=start).T)
            frame = av.AudioFrame.from_ndarray(values, "fltp", "stereo")
            frame.sample_rate, frame.pts = rate, start
            for converted in convert.resample(frame):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))


@pytest.mark.fuzz
def test_damaged_audio_is_read_or_reported(originals, tmp_path):
    def audio_files(original, changes):
        name, content = original
        path = tmp_path / name
        path.write_bytes(mutate(content, changes))
        try:
            samples = audio.clip(path, 0.0, SAMPLES, RATE)
        except TfdreamError as error:
            assert name in str(error)
        else:
            assert samples.shape == (SAMPLES,)
            assert np.isfinite(samples).all()

    fuzz(audio_files, st.sampled_from(originals), edits)
