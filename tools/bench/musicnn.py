"""Compare the presets of musicnn with their original graphs.

python tools/bench/musicnn.py WHEEL SONG_OR_FOLDER... [--count N] [--tags N] [--seconds S]

WHEEL is musicnn-0.1.0-py3-none-any.whl. The reference is the graph stored beside each checkpoint in
it, which is run in a session; no code of the wheel is run. Inputs are those of the original
program: patches of 187 frames of the spectrogram of a whole song, by librosa. For each network the
script prints the largest difference of the probabilities

- weights: of our network and the graph, for the same patches,
- frontend: of our network on patches by our frontend,
- clips: of the means over the song, where we cut the samples into clips instead of the spectrogram
  into patches, as `tfdream predict` does, and the mean of that difference,

then the most probable tags of the clips, and of the patches where they differ.
"""

import tempfile
import zipfile
from pathlib import Path

import click
import librosa
import numpy as np
import tensorflow as tf
from tables import PATH, print_table

from tfdream import audio
from tfdream.evaluation.prediction import Judge
from tfdream.presets import musicnn
from tfdream.runs import Run
from tfdream.synthesis.rendering.batch import recordings

BANDS = 96
PATCHES_AT_ONCE = 8


class Original:
    """The graph of a network in the wheel, with its variables."""

    def __init__(self, wheel: Path, member: str) -> None:
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
            prefix = f"{folder}/checkpoint"
            for part in ("index", "data-00000-of-00001"):
                content = archive.read(f"musicnn/{member}/.{part}")
                Path(f"{prefix}.{part}").write_bytes(content)
            description = tf.compat.v1.MetaGraphDef()
            description.ParseFromString(archive.read(f"musicnn/{member}/.meta"))
            for node in description.graph_def.node:
                # Today's TensorFlow infers other shapes for the gradients, which are not used.
                node.attr.pop("_output_shapes", None)
            with tf.Graph().as_default():
                saver = tf.compat.v1.train.import_meta_graph(description)
                self.session = tf.compat.v1.Session()
                saver.restore(self.session, prefix)

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Return probabilities `[patches, tags]` of patches `[patches, frames, bands]`."""
        pieces = [
            self.session.run(
                "model/Sigmoid:0", {"model/Placeholder:0": some, "model/Placeholder_2:0": False}
            )
            for some in in_batches(patches)
        ]
        return np.concatenate(pieces)


def in_batches(values: np.ndarray) -> list[np.ndarray]:
    starts = range(0, len(values), PATCHES_AT_ONCE)
    return [values[start : start + PATCHES_AT_ONCE] for start in starts]


def read(path: Path) -> np.ndarray:
    """Return the mid signal float32 `[samples]` of a song at 16 kHz."""
    with audio.Reader(path) as reader:
        return np.concatenate(list(reader.mid(musicnn.SAMPLE_RATE)))[:, 0]


def librosa_levels(samples: np.ndarray) -> np.ndarray:
    """Return the original's spectrogram `[frames, bands]` of a song."""
    mel = librosa.feature.melspectrogram(
        y=samples,
        sr=musicnn.SAMPLE_RATE,
        n_fft=musicnn.STFT.n_fft,
        hop_length=musicnn.STFT.hop_samples,
        n_mels=BANDS,
        pad_mode="reflect",
    )
    return np.log10(10000 * mel.T.astype(np.float16).astype(np.float32) + 1)


def to_patches(levels: np.ndarray) -> np.ndarray:
    """Cut `[frames, bands]` into patches; an incomplete last one is dropped."""
    count = len(levels) // musicnn.FRAMES
    return levels[: count * musicnn.FRAMES].reshape(count, musicnn.FRAMES, BANDS)


def probabilities(run: Run, patches: np.ndarray) -> np.ndarray:
    images = patches.swapaxes(1, 2)[..., np.newaxis]
    pieces = [run.model(some, training=False).numpy() for some in in_batches(images)]
    return np.concatenate(pieces)


def top(run: Run, of_song: np.ndarray, count: int) -> list[str]:
    return [run.labels[number] for number in np.argsort(of_song)[::-1][:count]]


def compare_song(
    judge: Judge, original: Original, samples: np.ndarray
) -> tuple[list[float], list[np.ndarray]]:
    """Return the differences of a song, and the mean probabilities of its clips and patches."""
    run = judge.run
    patches = to_patches(librosa_levels(samples))
    expected = original(patches)
    ours = run.frontend(samples[np.newaxis])[0, ..., 0].numpy().T
    means = [judge([samples[:, np.newaxis]])[0], expected.mean(axis=0)]
    differences = [
        np.abs(probabilities(run, patches) - expected).max(),
        np.abs(probabilities(run, to_patches(ours)) - expected).max(),
        np.abs(means[0] - means[1]).max(),
        np.abs(means[0] - means[1]).mean(),
    ]
    return [float(difference) for difference in differences], means


@click.command()
@click.argument("wheel", type=PATH)
@click.argument("songs", type=PATH, nargs=-1, required=True)
@click.option("--count", default=5, help="Songs to compare, evenly spaced in all that are found.")
@click.option("--tags", default=3, help="Tags to print for each song.")
@click.option("--seconds", type=float, help="Use so much of each song, from its start.")
def main(
    wheel: Path, songs: tuple[Path, ...], count: int, tags: int, seconds: float | None
) -> None:
    """Print the differences of all four networks, and the tags of each song."""
    found = recordings(songs)
    chosen = [found[number] for number in np.linspace(0, len(found) - 1, count).round().astype(int)]
    length = None if seconds is None else round(seconds * musicnn.SAMPLE_RATE)
    tag_rows = []
    with tempfile.TemporaryDirectory() as folder:
        musicnn.convert(wheel, Path(folder))

        def rows():
            for name, network in musicnn.NETWORKS.items():
                run, original = Run.open(Path(folder) / name), Original(wheel, network.member)
                judge = Judge(run)
                differences = []
                for path in chosen:
                    of_song, means = compare_song(judge, original, read(path)[:length])
                    differences.append(of_song)
                    by_clips, by_patches = (top(run, mean, tags) for mean in means)
                    other = "" if by_clips == by_patches else ", ".join(by_patches)
                    tag_rows.append([name, path.name, ", ".join(by_clips), other])
                highest = np.max(differences, axis=0)
                mean = np.mean(differences, axis=0)[3]
                yield [name, *(f"{value:.1e}" for value in highest[:3]), f"{mean:.1e}"]

        print_table(["network", "weights", "frontend", "clips", "clips, mean"], rows(), words=1)
    print()
    print_table(["network", "song", "tags of clips", "of patches, if others"], tag_rows, words=4)


if __name__ == "__main__":
    main()
