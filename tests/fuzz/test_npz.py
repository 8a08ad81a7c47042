"""Spectrogram files: changed archives, changed arrays in valid archives, and other settings."""

import io
import json
import zipfile

import numpy as np
import pytest
from fuzzing import edits, fuzz, mutate, replace_all, replacements
from hypothesis import strategies as st

from tfdream.config import PhaseConfig
from tfdream.errors import TfdreamError
from tfdream.synthesis.inversion import analyze, invert

PHASE = PhaseConfig(init="pghi", iterations=0)
MEMBERS = ["image", "reference_db", "range_db", "samples", "sample_rate", "frontend"]


@pytest.fixture(scope="module")
def spectrogram(song, experiment, tmp_path_factory):
    path = tmp_path_factory.mktemp("analyzed") / "a.npz"
    analyze(song, path, experiment)
    return path.read_bytes()


@pytest.fixture
def check(tmp_path):
    """Invert a file: an output exists only if there was no error."""
    output = tmp_path / "out.wav"

    def check(content):
        path = tmp_path / "a.npz"
        path.write_bytes(content)
        output.unlink(missing_ok=True)
        try:
            invert(path, output, PHASE)
        except TfdreamError as error:
            assert "\n" not in str(error)
            assert [each.name for each in tmp_path.iterdir()] == ["a.npz"]
        else:
            assert output.is_file()

    return check


def members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}


def pack(arrays):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in arrays.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


@pytest.mark.fuzz
def test_changed_archives_are_read_or_reported(spectrogram, check):
    def npz_bytes(changes):
        check(mutate(spectrogram, changes))

    fuzz(npz_bytes, edits)


@pytest.mark.fuzz
def test_changed_arrays_are_read_or_reported(spectrogram, check):
    arrays = members(spectrogram)

    def npz_arrays(name, changes):
        check(pack(arrays | {name: mutate(arrays[name], changes)}))

    fuzz(npz_arrays, st.sampled_from(MEMBERS), edits)


@pytest.mark.fuzz
def test_other_settings_are_accepted_or_reported(spectrogram, check):
    arrays = members(spectrogram)
    settings = json.loads(str(np.load(io.BytesIO(arrays["frontend"]))))

    def npz_settings(changes, name, number):
        buffer = io.BytesIO()
        np.save(buffer, np.array(json.dumps(replace_all(settings, changes))))
        other = io.BytesIO()
        np.save(other, np.array(number))
        check(pack(arrays | {"frontend": buffer.getvalue()} | {name: other.getvalue()}))

    numbers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(), st.sampled_from([8000, 1]))
    names = st.sampled_from(["samples", "sample_rate", "reference_db", "unused"])
    fuzz(npz_settings, replacements, names, numbers)
