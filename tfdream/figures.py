"""Pictures: each function draws one figure and writes it as PNG, SVG or PDF, by the extension."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfdream import audio
from tfdream.errors import ConfigError, ModelError
from tfdream.files import read_csv, replacing

_FORMATS = (".png", ".svg", ".pdf")
# At most so many columns of a spectrogram are computed: no screen shows more.
_COLUMNS = 1500
_RANGE_DB = 80

# What `history` draws: labels of the axes, columns and their legends.
_CLASSIFICATION = {
    name: {name: "training", f"val_{name}": "validation"} for name in ("loss", "accuracy")
}
_TRANSLATION = {
    **{
        f"{role}s": {f"{role}_forward": "forward", f"{role}_backward": "backward"}
        for role in ("generator", "discriminator")
    },
    "mean difference": {
        f"{prefix}{name}": f"{name}, {kind}"
        for name in ("cycle", "identity")
        for prefix, kind in (("", "training"), ("val_", "validation"))
    },
}
_N_FFT = 2048


def spectrograms(
    paths: Sequence[Path],
    output: Path,
    titles: Sequence[str] = (),
    losses: Sequence[float] = (),
    losses_label: str = "weighted loss",
) -> None:
    """Spectrograms of recordings, one above the other, on the same time, frequency and colours.

    Frequencies are on a logarithmic axis from 40 Hz, levels in dB below the loudest bin of all.

    Args:
      paths: audio files, each of any length.
      output: the picture.
      titles: of each; the file names by default.
      losses: of each step, drawn below the recordings if there are any.
      losses_label: what they are.

    Raises:
      AudioError: if a file cannot be read.
      ConfigError: if `output` has no picture's extension.
    """
    found = [_power_spectrogram(path) for path in paths]
    reference = max(*(float(power.max()) for power, _, _ in found), 1e-12)
    top_hz = max(float(frequencies[-1]) for _, frequencies, _ in found)
    seconds = max(float(times[-1]) for _, _, times in found)
    with _figure(output, len(paths) + bool(losses)) as axes:
        for axis, path, (power, frequencies, times), title in zip(
            axes, paths, found, [*titles, *[None] * len(paths)], strict=False
        ):
            level_db = 10 * np.log10(np.maximum(power / reference, 10 ** (-_RANGE_DB / 10)))
            mesh = axis.pcolormesh(
                times, frequencies, level_db, vmin=-_RANGE_DB, vmax=0, cmap="magma", rasterized=True
            )
            axis.set(yscale="log", ylim=(40, top_hz), xlim=(0, seconds))
            axis.set_title(title or path.name, parse_math=False)  # a name may hold a $
            axis.set_ylabel("frequency / Hz")
            _colour_bar(axis, mesh)
        axes[len(paths) - 1].set_xlabel("time / s")
        if losses:
            axes[-1].plot(range(1, len(losses) + 1), losses, linewidth=1)
            axes[-1].set(xlabel="step, over all tiles and octaves", ylabel=losses_label)
            axes[-1].set_yscale("log" if min(losses) > 0 else "linear")
            axes[-1].grid(alpha=0.3)


def history(run_folder: Path, output: Path) -> None:
    """What `train` noted per epoch: loss and accuracy, in training and validation.

    Of a translation: what the discriminators tell the generators, how they fare themselves, how far
    images there and back are from what they were, and what a judge heard, if there was one.

    Raises:
      ModelError: if the run has no history yet.
    """
    rows = read_csv(run_folder / "history.csv")
    if not rows:
        raise ModelError(f"'{run_folder}' has no history.csv; train at least one epoch")
    panels = _TRANSLATION if "cycle" in rows[0] else _CLASSIFICATION
    judged = read_csv(run_folder / "judged.csv")
    with _figure(output, len(panels) + bool(judged)) as axes:
        for axis, (label, columns) in zip(axes, panels.items(), strict=False):
            _draw_curves(axis, label, rows, columns)
        if judged:
            shares = [name for name in judged[0] if name.startswith("share_to_")]
            _draw_curves(
                axes[-1], "judged as", judged, {name: name[9:].replace("_", " ") for name in shares}
            )
            axes[-1].set_ylim(0, 1)
        axes[0].set_title(run_folder.name, parse_math=False)
        axes[-1].set_xlabel("epoch")
        axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_curves(
    axis: Axes, label: str, rows: Sequence[Mapping[str, str]], columns: Mapping[str, str]
) -> None:
    """Columns over epochs, as far as they are there, by the names of their legends."""
    epochs = [float(row["epoch"]) for row in rows]
    for column, legend in columns.items():
        if column in rows[0]:
            axis.plot(epochs, [float(row[column]) for row in rows], marker=".", label=legend)
    axis.set_ylabel(label)
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")


def confusion(labels: Sequence[str], matrix: Sequence[Sequence[int]], output: Path) -> None:
    """A confusion matrix: rows are the truth, cells count clips, colours are shares of a row."""
    with _figure(output, 1, height=1.2 + 0.6 * len(labels)) as (axis,):
        _draw_confusion(axis, labels, matrix)


def per_class(
    labels: Sequence[str],
    matrix: Sequence[Sequence[int]],
    rows: Sequence[Mapping[str, Any]],
    output: Path,
) -> None:
    """A confusion matrix, and beside each row recall, precision and F1 of its class.

    Args:
      labels: in the order of the matrix.
      matrix: clips, rows are the truth.
      rows: for each label, with recall, precision, f1 and clips.
      output: the picture.
    """
    with _figure(output, 1, height=1.7 + 0.6 * len(labels), columns=2) as (left, right):
        _draw_confusion(left, labels, matrix)
        # Okabe and Ito's blue, orange and green: told apart by everyone, and in grey.
        bars = (("recall", "#0072B2"), ("precision", "#E69F00"), ("f1", "#009E73"))
        for number, (name, colour) in enumerate(bars):
            places = [index + 0.26 * (number - 1) for index in range(len(rows))]
            values = [row[name] for row in rows]
            legend = name.upper() if name == "f1" else name
            right.barh(places, values, height=0.24, color=colour, label=legend)
        counts = [f"{row['clips']} clips" for row in rows]
        right.set_yticks(range(len(rows)), counts)
        right.tick_params(axis="y", length=0)
        right.set(xlim=(0, 1), ylim=left.get_ylim(), xlabel="score")
        right.grid(axis="x", alpha=0.3)
        right.set_axisbelow(True)
        assert right.figure is not None
        right.figure.legend(loc="outside upper right", ncols=len(bars), frameon=False)


def check_writable(output: Path) -> None:
    """Raise ConfigError if `output` does not end in a picture's extension."""
    if output.suffix.lower() not in _FORMATS:
        raise ConfigError(f"figure '{output.name}' does not end in one of: {', '.join(_FORMATS)}")


@contextmanager
def _figure(
    output: Path, rows: int, height: float | None = None, columns: int = 1
) -> Iterator[list[Axes]]:
    check_writable(output)
    figure = Figure(figsize=(9, height or 2.6 * rows), layout="constrained", dpi=120)
    yield list(figure.subplots(rows, columns, squeeze=False).flat)
    with replacing(output) as temporary:
        figure.savefig(temporary)


def _draw_confusion(axis: Axes, labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        colour = "black" if shares[row, column] > 0.5 else "white"
        axis.text(column, row, str(count), ha="center", va="center", color=colour)
    axis.set_xticks(range(len(labels)), labels, rotation=30, ha="right", parse_math=False)
    axis.set_yticks(range(len(labels)), labels, parse_math=False)
    axis.set(xlabel="heard as", ylabel="truth")


def _colour_bar(axis: Axes, mesh: QuadMesh) -> None:
    assert axis.figure is not None
    axis.figure.colorbar(mesh, ax=axis, label="level / dB", pad=0.01)


def _power_spectrogram(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Power `[bins, columns]`, the bins' frequencies in Hz and the columns' centres in seconds."""
    with audio.Reader(path) as reader:
        rate = reader.info.sample_rate
        mono = np.concatenate(list(audio.mid(reader.blocks())))[:, 0]
    hop = max(_N_FFT // 4, -(-len(mono) // _COLUMNS))
    padded = np.pad(mono, _N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::hop]
    window = np.hanning(_N_FFT + 1)[:-1].astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window)).T ** 2
    times = np.arange(power.shape[1]) * hop / rate
    return power, np.fft.rfftfreq(_N_FFT, 1 / rate), times
