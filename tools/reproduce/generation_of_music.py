"""Reproduce "On the Generation of Music", the report on Lil Data.

    python tools/reproduce/generation_of_music.py ARCHIVE OUTPUT [--tiny]

ARCHIVE has a folder for each genre, with one long mix or several. docs/reproduce/ describes the
steps.
"""

from pathlib import Path

import archives
from reproduction import Reproduction, command, percent

from tfdream import audio

TITLE = "On the Generation of Music"
FEW_GENRES = 4
CLIP_SECONDS = 5.0
# Section 5; the benchmark and four genres of ResNet-50 have no published number.
PUBLISHED = {
    ("lil_data", "few"): "96 % of 4",
    ("lil_data", "all"): "81 % of 8",
    ("lil_data_resnet50", "all"): "34 %",
}
PUBLISHED_TRAINING = {("lil_data_resnet50", "all"): "94 %"}
LSTMS = ((2, 25), (2, 50), (3, 50), (4, 50))
SPLIT = ("--set", "prepare.split=segments")
SMALL_CLIPS = ("prepare.folds=4", "prepare.gap_seconds=0", "prepare.clip_seconds=2")
SMALL_STFT = "{n_fft: 314, hop_samples: 157}"
SMALL_TRAININGS = {
    "lil_data": ("frontend.size=[256,256]", "training.epochs=3"),
    "lil_data_softmax": ("frontend.size=[64,64]", "training.epochs=3"),
    "lil_data_resnet50": ("frontend.size=[64,64]", "training.epochs=1"),
}
SMALL_NETWORK = (
    "network.options.weights=random", "network.clip_seconds=2",
    f"network.frontend.stft={SMALL_STFT}",
)  # fmt: skip
SMALL_LSTM = (f"frontend.stft={SMALL_STFT}", "training.epochs=2", "training.preview_every=2")


def generation_of_music(job: Reproduction) -> None:
    """Reproduce "On the Generation of Music" from the long mixes in ARCHIVE, one folder per genre.

    The first four genres by name are "4 genres", all are "8 genres". The content is lofi and the
    style future_bass, if there are such folders. VGG-19 needs weights, see docs/reproduce/.
    """
    datasets = {"few": job.path("dataset_few"), "all": job.path("dataset_all")}
    classify(job, datasets)
    labels = job.labels(datasets["all"])
    content = "lofi" if "lofi" in labels else labels[0]
    style = "future_bass" if "future_bass" in labels else labels[-1]
    transfer(job, write_clip(job, content), write_clip(job, style))
    generate(job, datasets["all"], content)


def classify(job: Reproduction, datasets: dict[str, Path]) -> None:
    job.title("Classification (section 5)")
    genres = sorted(path.name for path in job.archive.iterdir() if path.is_dir())
    labels = {"few": ["--labels", ",".join(genres[:FEW_GENRES])], "all": []}
    split = [*SPLIT, *job.small(*SMALL_CLIPS)]
    rows, counts = [], []
    for size, dataset in datasets.items():
        prepared = job.step(
            *("prepare", job.archive, dataset, "--config", "lil_data"),
            *(*split, *labels[size]),
        )
        counts.append((size, prepared["clips"]))
        for name, settings in SMALL_TRAININGS.items():
            run = job.path(f"{name}_{size}")
            trained = job.step(*("train", name, dataset, run, *split, *job.small(*settings)))
            scores = job.step("evaluate", run, dataset)
            rows.append(
                (
                    *(name, len(scores["labels"])),
                    PUBLISHED.get((name, size)),
                    percent(scores["clip_accuracy"]),
                    percent(1 / len(scores["labels"])),
                    PUBLISHED_TRAINING.get((name, size)),
                    percent(trained["metrics"]["accuracy"]),
                )
            )
    job.text(
        "About 8000, 1000 and 750 clips are published for training, validation and test; here: "
        + ", ".join(f"{clips} clips ({size} genres)" for size, clips in counts)
        + "."
    )
    job.table(
        (
            *("network", "genres", "test, published", "test, here", "chance"),
            *("training, published", "training, here"),
        ),
        rows,
    )
    run, history = job.path("lil_data_all"), job.path("history.png")
    job.step("plot", "history", run, history)
    job.figure(history, "Figure 3: training and validation loss of Lil Data")
    layers = job.step("layers", run)["layers"]
    job.text("Figure 2: the layers of Lil Data.")
    job.table(
        ("layer", "type", "output"),
        [(each["name"], each["type"], each["output_shape"]) for each in layers],
    )


def write_clip(job: Reproduction, genre: str) -> Path:
    """Write the first clip of a genre, and return its path."""
    path = job.path(f"{genre}.wav")
    if not path.exists():
        mix = audio.files_below(job.archive / genre)[0]
        with audio.excerpt(mix, 0, CLIP_SECONDS) as excerpt:
            samples, rate = audio.read(excerpt)
        audio.write(path, samples, rate)
    return path


def transfer(job: Reproduction, content: Path, style: Path) -> None:
    job.title("Neural genre transfer (section 5a)")
    job.spectrograms("Figure 1: a clip of 5 s", "clip.png", {content.stem: content})
    folder, run = job.path("transfers"), job.path("lil_data_all")
    for kind, models, settings in (
        ("vgg19", ("vgg19_lil_data_early", "vgg19_lil_data"), job.small(*SMALL_NETWORK)),
        ("lil_data", ("lil_data_early", "lil_data"), ["--model", run]),
    ):
        recipes = [word for each in models for word in ("--config", f"transfer/{each}")]
        result = job.step(
            *("compare-models", content, style, folder / kind, *recipes, *settings),
            *("--judge", run, *job.small("optimizer.steps=3")),
        )
        job.verdicts(result["verdicts"])
        job.figure(Path(result["spectrograms"]), f"Content, style and outputs, {kind}")
        job.figure(Path(result["losses"]), f"Losses, {kind}")


def generate(job: Reproduction, dataset: Path, label: str) -> None:
    job.title("Generation by LSTM (section 5a)")
    runs = {
        f"lstm_{layers}_{epochs}": (
            "lil_data_lstm",
            ["--set", f"model.options.layers={layers}", "--set", f"training.epochs={epochs}"],
        )
        for layers, epochs in (LSTMS[:1] if job.tiny else LSTMS)
    } | {"lstm_two_examples": ("lil_data_lstm_two_examples", [])}
    sounds, rows = {}, []
    for name, (config, settings) in runs.items():
        run, output = job.path(name), job.path(f"{name}.wav")
        trained = job.step(
            *("train", config, dataset, run, "--set", f"label={label}", *SPLIT, *settings),
            *job.small(*SMALL_CLIPS, *SMALL_LSTM),
        )
        job.step("generate", output, "--model", run, "--seconds", CLIP_SECONDS, "--force")
        sounds[name] = output
        rows.append((name, trained["epochs"], trained["metrics"]["loss"]))
    job.table(("model", "epochs", "training loss"), rows)
    job.spectrograms(
        'Generated clips, published as "distorted sounds without harmony"',
        *("generated.png", sounds),
    )


if __name__ == "__main__":
    command(TITLE, generation_of_music, archives.mixes)()
