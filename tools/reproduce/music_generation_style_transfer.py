"""Reproduce "Music Generation using Style Transfer by Deep Learning Methods".

    python tools/reproduce/music_generation_style_transfer.py ARCHIVE OUTPUT [--tiny]

ARCHIVE is GTZAN: genres/blues/blues.00000.wav, or genres_original. docs/reproduce/ describes the
steps.
"""

from pathlib import Path

import archives
from reproduction import Reproduction, command, percent

from tfdream.datasets.sources.layouts.gtzan import genres_folder
from tfdream.io.atomic import read_csv

TITLE = "Music Generation using Style Transfer by Deep Learning Methods"
CONTENT, STYLE = "classical", "jazz"
SHOWN = ("metal", "blues", "country", "disco")
# Sections 3.4 and 4: F1 and accuracy of the test.
PUBLISHED = {"feature_cnn": ("0.63", "61 %"), "autocorrelogram_cnn": ("0.254", None)}
RECIPES = ("transfer/random_conv1d", "transfer/random_rnn", "transfer/random_bilstm")
SMALL_CLIPS = ("prepare.clip_seconds=5",)
SMALL_CYCLEGAN = (
    *SMALL_CLIPS, "training.epochs=2", "training.batch_size=2", "training.pool_images=4",
    "frontend.stft={n_fft: 512, hop_samples: 256}",
)  # fmt: skip
SMALL_TRANSFER = (
    "network.clip_seconds=2", "network.frontend.stft={n_fft: 1024, hop_samples: 512}",
    "optimizer.steps=10", "tiles.overlap_seconds=0.1",
)  # fmt: skip


def music_generation_style_transfer(job: Reproduction) -> None:
    """Reproduce "Music Generation using Style Transfer" from ARCHIVE, the folder of GTZAN."""
    genres = genres_folder(job.archive)
    if genres is None:
        raise SystemExit(f"'{job.archive}' is not GTZAN: it has no genres/blues/blues.00000.wav")
    recordings = {
        path.name: sorted(path.glob(f"{path.name}.*"))[0]
        for path in sorted(genres.iterdir())
        if path.is_dir()
    }
    show(job, recordings)
    classify(job)
    translate(job)
    compare(job, recordings)


def show(job: Reproduction, recordings: dict[str, Path]) -> None:
    job.title("Recordings (sections 1.1 and 3.4)")
    shown = {name: path for name, path in recordings.items() if name in SHOWN}
    job.spectrograms(
        *("Figures 1 and 2: waveforms and spectrograms", "recordings.png", shown, "--waveforms")
    )
    autocorrelograms = job.path("autocorrelograms.png")
    job.step("plot", "autocorrelograms", *recordings.values(), autocorrelograms)
    job.figure(autocorrelograms, "Figure 11: autocorrelograms of each genre")


def classify(job: Reproduction) -> None:
    job.title("Classifiers (section 3.4)")
    dataset = job.path("dataset")
    clips = job.small(*SMALL_CLIPS)
    job.step("prepare", job.archive, dataset, "--config", "feature_cnn", *clips)
    rows = []
    for name, (f1, accuracy) in PUBLISHED.items():
        run = job.path(name)
        job.step("train", name, dataset, run, *clips, *job.small("training.epochs=5"))
        scores = job.step("evaluate", run, dataset)
        best = max(float(row["val_macro_f1"]) for row in read_csv(run / "history.csv"))
        rows.append(
            (name, f1, scores["macro_f1"], best, accuracy, percent(scores["clip_accuracy"]))
        )
    job.table(
        (
            *("network", "F1, published", "F1, last epoch", "F1, best epoch"),
            *("accuracy, published", "accuracy, last epoch"),
        ),
        rows,
    )
    for name, figures in (("feature_cnn", "9 and 10"), ("autocorrelogram_cnn", "12 and 13")):
        history = job.path(f"{name}.png")
        job.step("plot", "history", job.path(name), history)
        job.figure(history, f"Figures {figures}: loss and F1 of {name}")


def translate(job: Reproduction) -> None:
    job.title("CycleGAN (section 3.3)")
    dataset, run = job.path("dataset_cyclegan"), job.path("cyclegan")
    genres = f"{CONTENT},{STYLE}"
    clips = job.small(*SMALL_CLIPS)
    job.step(
        *("prepare", job.archive, dataset, "--config", "small_cyclegan", "--labels", genres),
        *clips,
    )
    job.step(
        *("train", "small_cyclegan", dataset, run, "--set", f"labels=[{genres}]"),
        *job.small(*SMALL_CYCLEGAN),
    )


def compare(job: Reproduction, recordings: dict[str, Path]) -> None:
    job.title("All models on one pair (section 4)")
    recipes = [word for recipe in RECIPES for word in ("--config", recipe)]
    result = job.step(
        *("compare-models", recordings[CONTENT], recordings[STYLE], job.path("pair"), *recipes),
        *("--translator", job.path("cyclegan"), "--to", STYLE, "--judge", job.path("feature_cnn")),
        *job.small(*SMALL_TRANSFER),
    )
    job.text("Published: the judge is right for 61 % of the test, and differs little by model.")
    job.verdicts(result["verdicts"])
    job.figure(Path(result["losses"]), "Figures 14 to 17: losses of all models")
    job.figure(Path(result["spectrograms"]), "Figures 18 to 21: content, style and all outputs")


if __name__ == "__main__":
    command(TITLE, music_generation_style_transfer, archives.gtzan)()
