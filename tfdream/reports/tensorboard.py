"""TensorBoard events of training and of results, and the TensorBoard server."""

import json
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorboard import program

from tfdream import audio
from tfdream.errors import ConfigError, one_line
from tfdream.io.atomic import check_output
from tfdream.reports.result import ResultSet, flatten

# TensorBoard's player and event files hold whole sounds in memory.
_MAX_SOUND_SECONDS = 60.0


def check_writable(folder: Path) -> None:
    """Raise ConfigError if events cannot be written to `folder`."""
    check_output(folder, force=True, error=ConfigError)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"'{folder}' is not a folder; name one for TensorBoard's events")


class EventWriter:
    """Writes the steps and the result of one command as TensorBoard events.

    Use it as a context manager. The events file is created with the first event.

    Args:
      folder: folder of the events; None to write none.

    Attributes:
      steps: the values of all steps so far, also without a folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.steps: list[float] = []
        self._folder = folder
        self._writer: Any = None

    def __enter__(self) -> "EventWriter":
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def add_step(self, value: float, name: str = "objective") -> None:
        """Write the value of one more step immediately."""
        self._write(lambda: tf.summary.scalar(name, value))
        self.steps.append(value)

    def add_results(self, results: ResultSet) -> None:
        """Write spectrograms, the first minute of each sound, measures and settings."""
        if self._folder is None:
            return
        figure = decode_image(results.png)
        settings = json.dumps(results.settings, indent=2, ensure_ascii=False)

        def write() -> None:
            tf.summary.image("spectrograms", figure)
            for name, path in results.sounds.items():
                waveform, rate = _beginning(path)
                tf.summary.audio(name, waveform[np.newaxis], rate)
            for name, result in results.results.items():
                tf.summary.text(f"measures/{name}", _markdown_table(flatten(result)))
            tf.summary.text("command", _markdown_code(results.command))
            tf.summary.text("settings", _markdown_code(settings))

        self._write(write)

    def _write(self, write: Callable[[], Any]) -> None:
        if self._folder is None:
            return
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self._folder))
        with self._writer.as_default(len(self.steps)):
            write()


def serve(folder: str | Path, host: str, port: int) -> str:
    """Start TensorBoard in the background.

    Args:
      folder: folder of the events, searched recursively.
      host: address that the server binds to.
      port: port of the server; 0 takes any free port.

    Returns:
      The URL of the server.

    Raises:
      ConfigError: if the port is in use.
    """
    server = program.TensorBoard()
    arguments = ["--logdir", str(folder), "--host", host, "--port", str(port)]
    # The fast data loader prints a notice about being experimental.
    server.configure(["tensorboard", *arguments, "--load_fast", "false"])
    try:
        url: str = server.launch()
    except (program.TensorBoardServerException, OSError) as error:
        reason = one_line(error)
        raise ConfigError(f"TensorBoard cannot start: {reason}; use another --port") from None
    return url


def decode_image(png: bytes) -> tf.Tensor:
    """Decode a PNG to uint8 `[1, height, width, 4]`, as `tf.summary.image` takes it."""
    return tf.io.decode_png(png, channels=4)[tf.newaxis]


def _markdown_table(rows: Iterable[tuple[str, str]]) -> str:
    """Format rows in Markdown; names are code, which preserves their underscores."""
    cells = (f"| `{name}` | {value} |" for name, value in rows)
    return "\n".join(["| measure | value |", "| --- | --- |", *cells])


def _markdown_code(text: str) -> str:
    """Format text as a Markdown code block."""
    return textwrap.indent(text, "    ")


def _beginning(path: Path) -> tuple[NDArray[np.floating[Any]], int]:
    """Return the first minute of a file, float32 `[samples, channels]`, and its sample rate."""
    with audio.Reader(path) as reader:
        length = round(_MAX_SOUND_SECONDS * reader.info.sample_rate)
        block = next(audio.rechunk(reader.blocks(), length))
        return block, reader.info.sample_rate
