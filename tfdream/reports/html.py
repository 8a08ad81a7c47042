"""One page for one result: to listen, look, read, and make it again.

The page is one file that asks the network for nothing, and its content security policy forbids it
to: sounds and pictures are in it, and nothing but its own script can run, whatever a file is named.
"""

import base64
import hashlib
import json
import math
import tempfile
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import jinja2

from tfdream import __version__, audio
from tfdream.errors import ConfigError
from tfdream.evaluation.interpretation import in_words
from tfdream.io.atomic import check_free_file, write_text
from tfdream.reports.result import ResultSet, flat

# Up to here all sounds together are told without loss; 20 MB of stereo.
_LOSSLESS_SECONDS = 180.0
# More of one recording would be more than a phone wants to load.
_HEARD_SECONDS = 600.0
_KINDS = {"flac": "audio/flac", "ogg": "audio/ogg"}


def check_writable(output: Path) -> None:
    """Raise ConfigError if `output` does not end in ``.html``, or can never be written."""
    if output.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"report '{output.name}' does not end in .html; name it so")
    check_free_file(output, force=True, error=ConfigError)


def write(exhibit: ResultSet, output: Path) -> None:
    """Write the page of a result.

    Recordings are in it as 16-bit FLAC, or as Ogg Vorbis where they are long; their first ten
    minutes, of more than two channels the mid signal.

    Args:
      exhibit: the result.
      output: the page, replaced if it is there.

    Raises:
      AudioError: if a recording cannot be read.
      ConfigError: if `output` has another extension, or can never be written.
    """
    check_writable(output)
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        _resource("page.html")
    )
    script, style = _resource("page.js"), _resource("page.css")
    page = template.render(
        title=exhibit.title,
        players=_players(exhibit),
        picture=_data_uri(exhibit.picture, "image/png"),
        picture_text=_picture_text(exhibit),
        results=[
            (name, in_words(result), flat(result)) for name, result in exhibit.results.items()
        ],
        command=exhibit.command,
        settings=json.dumps(exhibit.settings, indent=2, ensure_ascii=False),
        version=__version__,
        script=script,
        style=style,
        policy=(
            f"default-src 'none'; img-src data:; media-src data:; base-uri 'none'; form-action "
            f"'none'; script-src {_hash(script)}; style-src {_hash(style)}"
        ),
    )
    write_text(output, page)


class _Player(NamedTuple):
    """A sound of the page.

    Attributes:
      name: what it is.
      file: its name.
      about: how long, how many channels, which rate.
      source: as a data URI.
    """

    name: str
    file: str
    about: str
    source: str


def _players(exhibit: ResultSet) -> list[_Player]:
    infos = {name: audio.info(path) for name, path in exhibit.sounds.items()}
    total = sum(info.samples / info.sample_rate for info in infos.values())
    extension = "flac" if total <= _LOSSLESS_SECONDS else "ogg"
    return [
        _Player(name, path.name, _about(infos[name], extension), _sound(path, extension))
        for name, path in exhibit.sounds.items()
    ]


def _about(info: audio.AudioInfo, extension: str) -> str:
    seconds = info.samples / info.sample_rate
    parts = [
        f"{int(seconds // 60)}:{seconds % 60:04.1f}",
        {1: "mono", 2: "stereo"}.get(info.channels, f"{info.channels} channels, here as one"),
        f"{info.sample_rate} Hz",
    ]
    if extension == "ogg":
        parts.append("here as Ogg Vorbis")
    if seconds > _HEARD_SECONDS:
        parts.append(f"here the first {_HEARD_SECONDS / 60:.0f} minutes")
    return ", ".join(parts)


def _sound(path: Path, extension: str) -> str:
    """A recording as a data URI."""
    with tempfile.TemporaryDirectory() as folder, audio.Reader(path) as reader:
        encoded = Path(folder) / f"sound.{extension}"
        rate, channels = reader.info.sample_rate, reader.info.channels
        blocks = reader.blocks()
        if channels > 2:
            blocks, channels = audio.mid(blocks), 1
        heard = audio.head(blocks, math.ceil(_HEARD_SECONDS * rate))
        bits = 16 if extension == "flac" else None
        audio.write_blocks(encoded, heard, rate, channels, bits)
        return _data_uri(encoded.read_bytes(), _KINDS[extension])


def _picture_text(exhibit: ResultSet) -> str:
    course = f", and the {exhibit.steps_label} at each step" if exhibit.steps else ""
    return f"Spectrograms, one above the other: {', '.join(exhibit.sounds)}{course}"


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _resource(name: str) -> str:
    return resources.files("tfdream.reports.html").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What a content security policy calls an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
