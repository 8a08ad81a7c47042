"""TensorBoard's view of what is learnt and of what is made."""

import itertools
import json
import tempfile
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard import program

from tfdream import audio, figures
from tfdream.datasets.clip_set import ClipSet
from tfdream.errors import ConfigError
from tfdream.io.atomic import check_free
from tfdream.reports.result import ResultSet, drawn, flat
from tfdream.runs import Run

# TensorBoard's player holds a whole sound in memory, and its events file every one of them.
_HEARD_SECONDS = 60.0


def check_writable(folder: Path) -> None:
    """Raise ConfigError if no events can be written to `folder`."""
    check_free(folder, force=True, error=ConfigError)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"'{folder}' is not a folder; name one for TensorBoard's events")


class Board:
    """The events of one change, for TensorBoard; use as a context manager.

    Args:
      folder: where TensorBoard looks for events; None to write none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.steps: list[float] = []
        self._folder = folder
        self._writer: tf.summary.SummaryWriter | None = None

    def __enter__(self) -> "Board":
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def step(self, value: float, name: str = "objective") -> None:
        """Note the value of one more step, as it goes."""
        self._write(lambda: tf.summary.scalar(name, value))
        self.steps.append(value)

    def show(self, exhibit: ResultSet) -> None:
        """Show what came out: pictures, the first minute of each sound, measures, settings."""
        if self._folder is None:
            return
        picture = _decoded(exhibit.picture)
        settings = json.dumps(exhibit.settings, indent=2, ensure_ascii=False)

        def write() -> None:
            tf.summary.image("spectrograms", picture)
            for name, path in exhibit.sounds.items():
                waveform, rate = _beginning(path)
                tf.summary.audio(name, waveform[np.newaxis], rate)
            for name, result in exhibit.results.items():
                tf.summary.text(f"measures/{name}", _table(flat(result)))
            tf.summary.text("command", _code(exhibit.command))
            tf.summary.text("settings", _code(settings))

        self._write(write)

    def _write(self, write: Callable[[], Any]) -> None:
        if self._folder is None:
            return
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self._folder))
        with self._writer.as_default(len(self.steps)):
            write()


class ClassifierBoard:
    """What TensorBoard shows of a classifier's training, beside its curves.

    Called with the number of epochs done and the confusion matrix of the validation clips, it
    writes the matrix as a picture; before the first epoch also what one clip of each label sounds
    like, its spectrogram, and what the network sees of it.

    Args:
      run: whose training it is.
      sides: the clips of each label.
    """

    def __init__(self, run: Run, sides: Iterable[ClipSet]) -> None:
        self.run = run
        self.sides = sides
        self._writer = tf.summary.create_file_writer(str(run.events_path / "clips"))

    def __call__(self, epoch: int, confusion: np.ndarray | None) -> None:
        """Show."""
        with self._writer.as_default(epoch):
            if epoch == 0:
                self._show_examples()
            if confusion is not None:
                counts = confusion.round().astype(int).tolist()
                picture = drawn(lambda path: figures.confusion(self.run.labels, counts, path))
                tf.summary.image("confusion of validation clips", _decoded(picture))
        self._writer.flush()

    def _show_examples(self) -> None:
        """One clip of each label: its sound, its spectrogram, and the network's picture of it."""
        rate = self.run.sample_rate
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for number, side in enumerate(self.sides):
                for waveform in itertools.islice(side.waveforms(), 1):
                    paths.append((Path(folder) / f"{number}.wav", str(side.label)))
                    audio.write(paths[-1][0], waveform, rate)
                    tf.summary.audio(side.label, waveform[np.newaxis, :, np.newaxis], rate)
                    self._show_input(waveform[: self.run.clip_samples], f"{side.label}, as seen")
            if paths:
                files, labels = zip(*paths, strict=True)
                picture = drawn(lambda path: figures.spectrograms(files, path, labels))
                tf.summary.image("spectrograms", _decoded(picture))

    def _show_input(self, waveform: np.ndarray, name: str) -> None:
        """What the network sees, if it sees pictures: high frequencies on top, channels apart."""
        seen = self.run.frontend(tf.constant(waveform[np.newaxis]))
        if seen.shape.rank == 4:
            channels = tf.transpose(seen[:, ::-1], [3, 1, 2, 0])
            tf.summary.image(name, channels)


def serve(folder: Path, host: str, port: int) -> str:
    """Start TensorBoard in the background.

    Args:
      folder: whose events it shows, at any depth.
      host: the address it answers at.
      port: of it; 0 takes any that is free.

    Returns:
      Its URL.

    Raises:
      ConfigError: if there is no such folder, or the port is taken.
    """
    if not folder.is_dir():
        raise ConfigError(f"'{folder}' is not a folder; name a run or a folder of runs")
    server = program.TensorBoard()
    arguments = ["--logdir", str(folder), "--host", host, "--port", str(port)]
    # The other loader announces itself as an experiment.
    server.configure(["tensorboard", *arguments, "--load_fast", "false"])
    try:
        url: str = server.launch()
    except (program.TensorBoardServerException, OSError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"TensorBoard cannot start: {reason}; use another --port") from None
    return url


def _decoded(png: bytes) -> tf.Tensor:
    """A picture as TensorBoard takes it: uint8 `[1, height, width, 4]`."""
    return tf.io.decode_png(png, channels=4)[tf.newaxis]


def _table(rows: Iterable[tuple[str, str]]) -> str:
    """In Markdown; names are code, so that their underscores stay."""
    cells = (f"| `{name}` | {value} |" for name, value in rows)
    return "\n".join(["| measure | value |", "| --- | --- |", *cells])


def _code(text: str) -> str:
    """Text as it is, in Markdown."""
    return textwrap.indent(text, "    ")


def _beginning(path: Path) -> tuple[np.ndarray, int]:
    """The first minute of a recording, float32 `[samples, channels]`, and its sample rate."""
    with audio.Reader(path) as reader:
        wanted = round(_HEARD_SECONDS * reader.info.sample_rate)
        piece = next(audio.rechunk(reader.blocks(), wanted))
        return piece, reader.info.sample_rate
