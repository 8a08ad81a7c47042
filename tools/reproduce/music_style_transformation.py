"""Reproduce "Music Style Classification and Transformation using Convolutional Neural Network".

    python tools/reproduce/music_style_transformation.py ARCHIVE OUTPUT [--tiny]

ARCHIVE has a folder of recordings for each of two playlists. docs/reproduce/ describes the steps.
"""

from pathlib import Path

import archives
import numpy as np
from reproduction import Reproduction, command, percent

from tfdream import audio
from tfdream.io.atomic import read_csv

TITLE = "Music Style Classification and Transformation using Convolutional Neural Network"
RATE = 8000
CLIP_SECONDS = 5.0
SKIPPED_SECONDS, TINY_SKIPPED_SECONDS = 30.0, 5.0
LAYERS = ("conv1", "conv2", "conv3")
# Table 1: training loss and seconds of each epoch.
PUBLISHED_EPOCHS = (
    (0.621, 10.768), (0.190, 10.759), (0.101, 10.772), (0.0638, 10.786), (0.0487, 10.863),
    (0.0415, 10.877), (0.0325, 10.878), (0.0256, 10.891), (0.0246, 10.910), (0.0192, 10.913),
    (0.0154, 10.913), (0.0135, 10.914), (0.0116, 11.025), (0.00958, 12.014), (0.00894, 12.020),
    (0.00872, 12.667), (0.00695, 12.479), (0.00729, 12.482), (0.00587, 12.444), (0.00554, 12.469),
)  # fmt: skip
PUBLISHED_ACCURACY = "80.83 %"
# Section 5.3.
PUBLISHED_DREAMS = {
    "conv1": "a few bursts, no relation to the original",
    "conv2": "many pulses, fewer where the original has more energy",
    "conv3": "the shape of the original's waveform, with attacks",
}


def music_style_transformation(job: Reproduction) -> None:
    """Reproduce "Music Style Classification and Transformation" from the playlists in ARCHIVE.

    ARCHIVE has one folder of recordings, each longer than 65 s, for each of two styles.
    """
    dataset, run = job.path("dataset"), job.path("run")
    classify(job, dataset, run)
    clip = write_clip(job, dataset)
    dream(job, run, clip)
    invert(job, run, clip)


def classify(job: Reproduction, dataset: Path, run: Path) -> None:
    clips = (
        *("--set", "prepare.folds=11"),
        *job.small(
            f"prepare.skip_start_seconds={TINY_SKIPPED_SECONDS}",
            f"prepare.skip_end_seconds={TINY_SKIPPED_SECONDS}",
        ),
    )
    job.step("prepare", job.archive, dataset, "--config", "raw_conv1d", *clips)
    job.title("Classification (section 5.2)")
    job.step(
        *("train", "raw_conv1d", dataset, run, *clips),
        *job.small("training.epochs=2", "training.batch_size=12"),
    )
    scores = job.step("evaluate", run, dataset)
    job.table(
        ("", "published", "here"),
        [
            ("test clips", 480, scores["clips"]),
            ("accuracy", PUBLISHED_ACCURACY, percent(scores["clip_accuracy"])),
        ],
    )
    job.text("Table 1: training loss and seconds of each epoch.")
    ours = read_csv(run / "history.csv")
    job.table(
        ("epoch", "loss, published", "loss, here", "seconds, published", "seconds, here"),
        [
            (row["epoch"], loss, float(row["loss"]), seconds, float(row["seconds"]))
            for row, (loss, seconds) in zip(ours, PUBLISHED_EPOCHS, strict=False)
        ],
    )
    history, filters = job.path("history.png"), job.path("filters.png")
    job.step("plot", "history", run, history)
    job.figure(history, "Figure 21: training loss")
    job.step("plot", "filters", run, filters)
    job.figure(filters, "Figures 24 to 26: filters of the convolutions")


def write_clip(job: Reproduction, dataset: Path) -> Path:
    """Write a clip of the first label that the network was not trained on, as it was prepared."""
    clip = job.path("clip.wav")
    if not clip.exists():
        song = job.held_out(dataset, job.labels(dataset)[0])
        start = TINY_SKIPPED_SECONDS if job.tiny else SKIPPED_SECONDS
        samples = audio.clip(song, start, round(CLIP_SECONDS * RATE), RATE)
        audio.write(clip, samples, RATE, bits=16)
    return clip


def dream(job: Reproduction, run: Path, clip: Path) -> None:
    job.title("Transformation (section 5.3)")
    sounds = {"original": clip}
    rows: list[tuple[object, ...]] = [("original", *shape(clip, clip), None, None)]
    for layer in reversed(LAYERS):
        for bound in (None, 1):
            name = layer if bound is None else f"{layer}, bounded"
            output = job.path(f"dream_{layer}{'' if bound is None else '_bounded'}.wav")
            result = job.step(
                *("dream", clip, output, "--model", run, "--config", f"dream/raw_{layer}"),
                # Scaling to 0.9 may lower the energy of a tile, which would then stay unchanged.
                *("--bits", 16, "--keep-falling", "--force"),
                *([] if bound is None else ["--set", f"canvas.bound={bound}"]),
                *job.small("optimizer.steps=5"),
            )
            published = PUBLISHED_DREAMS[layer] if bound is None else None
            rows.append((name, *shape(clip, output), result["steps"], published))
            if bound is None:
                sounds[layer] = output
    job.table(("sound", "crest factor", "kurtosis", "correlation", "steps", "published"), rows)
    job.text(
        "Each sound is scaled to a largest sample of 0.9. Bounded samples stay within full scale "
        "during the optimization, which is not published."
    )
    job.spectrograms(
        *("Figures 22 and 23: waveforms and spectrograms", "dreams.png", sounds),
        *("--waveforms", "--n-fft", 512, "--hop", 256, "--linear"),
    )


def invert(job: Reproduction, run: Path, clip: Path) -> None:
    job.title("Content and style from noise (section 6.3)")
    sounds = {"original": clip}
    for layer in LAYERS:
        sounds[layer] = job.path(f"inverted_{layer}.wav")
        job.step(
            *("dream", clip, sounds[layer], "--model", run, "--force"),
            *("--config", f"dream/raw_inversion_{layer}"),
            *job.small("optimizer.steps=20"),
        )
    style = audio.files_below(sorted(filter(Path.is_dir, job.archive.iterdir()))[-1])[0]
    sounds["content and style"] = job.path("content_style.wav")
    job.step(
        *("transfer", clip, style, sounds["content and style"], "--model", run, "--force"),
        *("--config", "transfer/raw_content_style", *job.small("optimizer.steps=20")),
    )
    job.table(
        ("sound", "correlation with the original", "published"),
        [
            (name, shape(clip, path)[2], "random noise" if "style" in name else None)
            for name, path in sounds.items()
        ],
    )
    job.spectrograms(
        *("Contents inverted from noise", "inversions.png", sounds),
        *("--waveforms", "--n-fft", 512, "--hop", 256, "--linear"),
    )


def shape(original: Path, changed: Path) -> tuple[float, float, float]:
    """Return crest factor and kurtosis of a sound, and its correlation with the original.

    The kurtosis of a normal distribution is 3.
    """
    from scipy.stats import kurtosis

    before, after = (audio.read(path)[0].mean(axis=1) for path in (original, changed))
    crest = float(np.abs(after).max() / np.sqrt(np.mean(after**2)))
    correlation = float(np.corrcoef(before, after)[0, 1])
    return crest, float(kurtosis(after, fisher=False)), correlation


if __name__ == "__main__":
    command(TITLE, music_style_transformation, archives.playlists)()
