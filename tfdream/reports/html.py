"""An HTML report of one result: players, figures, measures and settings in a single file.

The page needs no network, and its content security policy forbids access to it: sounds and images
are embedded, and only the page's own script can run, whatever the file names are.
"""

import base64
import hashlib
import json
import math
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from tfdream import __version__, audio
from tfdream.errors import ConfigError
from tfdream.evaluation.interpretation import interpret
from tfdream.io.atomic import check_output_file, write_text
from tfdream.reports.result import ResultSet, flatten, format_minutes

# Up to this total length, sounds are embedded as FLAC of 16 bits; 20 MB of stereo.
_MAX_FLAC_SECONDS = 180.0
# Longer sounds would make the page too large for a phone.
_MAX_SOUND_SECONDS = 600.0
# Browsers play higher rates resampled, and some not at all.
_MAX_SOUND_RATE = 48_000
# Smaller reductions, as of decoded mp3, are not audible.
_AUDIBLE_REDUCTION_DB = 0.5
_MEDIA_TYPES = {"flac": "audio/flac", "ogg": "audio/ogg"}


def check_writable(output: Path) -> None:
    """Raise ConfigError if `output` does not end in ``.html``, or cannot be written."""
    if output.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"report '{output.name}' does not end in .html; use that extension")
    check_output_file(output, force=True, error=ConfigError)


def write(results: ResultSet, output: str | Path) -> None:
    """Write the report of a result.

    Sounds are embedded as 16-bit FLAC, or as Ogg Vorbis if they are long. Only the first ten
    minutes are embedded; files with more than two channels are reduced to the mid signal, and
    higher sample rates than 48 kHz to 48 kHz.

    Args:
      results: the result.
      output: the HTML file; an existing file is replaced.

    Raises:
      AudioError: if a sound cannot be read.
      ConfigError: if `output` has another extension, or cannot be written.
    """
    output = Path(output)
    check_writable(output)
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        _resource("page.html")
    )
    script, style = _resource("page.js"), _resource("page.css")
    page = template.render(
        title=results.title,
        players=_players(results),
        figure=_data_uri(results.png, "image/png"),
        figure_text=_figure_text(results),
        results=[
            (name, interpret(result), _notes(result), flatten(result))
            for name, result in results.results.items()
        ],
        command=results.command,
        settings=json.dumps(results.settings, indent=2, ensure_ascii=False),
        version=__version__,
        script=script,
        style=style,
        policy=(
            f"default-src 'none'; img-src data:; media-src data:; base-uri 'none'; form-action "
            f"'none'; script-src {_hash(script)}; style-src {_hash(style)}"
        ),
    )
    write_text(output, page)


def _notes(result: Mapping[str, Any]) -> list[str]:
    """Return the notes of a result, and what its measures do not cover."""
    missing = (f"not covered: {text}" for text in result.get("not_covered", []))
    return [*result.get("notes", []), *missing]


class _Player(NamedTuple):
    """A player on the page.

    Attributes:
      name: name of the sound within the result.
      file: name of the file.
      description: length, channels, sample rate and what the player leaves out.
      source: the sound as a data URI.
    """

    name: str
    file: str
    description: str
    source: str


def _players(results: ResultSet) -> list[_Player]:
    lengths = {name: audio.seconds(path) for name, path in results.sounds.items()}
    total = sum(lengths.values())
    extension = "flac" if total <= _MAX_FLAC_SECONDS else "ogg"
    players = []
    for name, path in results.sounds.items():
        source, reduction_db = _encode_sound(path, extension)
        description = _describe(audio.info(path), lengths[name], extension, reduction_db)
        players.append(_Player(name, results.files.get(name, path.name), description, source))
    return players


def _describe(info: audio.AudioInfo, seconds: float, extension: str, reduction_db: float) -> str:
    parts = [
        format_minutes(seconds),
        {1: "mono", 2: "stereo"}.get(info.channels, f"{info.channels} channels, reduced to one"),
        f"{info.sample_rate} Hz",
    ]
    if info.sample_rate > _MAX_SOUND_RATE:
        parts.append(f"resampled to {_MAX_SOUND_RATE} Hz")
    if extension == "ogg":
        parts.append("encoded as Ogg Vorbis")
    if seconds > _MAX_SOUND_SECONDS:
        parts.append(f"limited to the first {_MAX_SOUND_SECONDS / 60:.0f} minutes")
    if reduction_db >= _AUDIBLE_REDUCTION_DB:
        parts.append(f"peaks reduced by {reduction_db:.1f} dB")
    return ", ".join(parts)


def _encode_sound(path: Path, extension: str) -> tuple[str, float]:
    """Encode a file as a data URI; also return by how many dB its peaks are reduced."""
    with tempfile.TemporaryDirectory() as folder, audio.Reader(path) as reader:
        encoded = Path(folder) / f"sound.{extension}"
        rate, channels = reader.info.sample_rate, reader.info.channels
        blocks = reader.blocks()
        if channels > 2:
            blocks, channels = audio.mid(blocks), 1
        blocks = audio.head(blocks, math.ceil(_MAX_SOUND_SECONDS * rate))
        if rate > _MAX_SOUND_RATE:
            blocks, rate = audio.resample(blocks, rate, _MAX_SOUND_RATE), _MAX_SOUND_RATE
        bits = 16 if extension == "flac" else None
        written = audio.write_blocks(encoded, blocks, rate, channels, bits)
        uri = _data_uri(encoded.read_bytes(), _MEDIA_TYPES[extension])
    return uri, written.peak_reduction_db


def _figure_text(results: ResultSet) -> str:
    """Return the alternative text of the figure."""
    curve = f"; {results.steps_label} at each step" if results.steps else ""
    return f"Spectrograms of {', '.join(results.sounds)}{curve}"


def _data_uri(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _resource(name: str) -> str:
    return resources.files("tfdream.reports").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the source expression of an inline script or style for a security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
