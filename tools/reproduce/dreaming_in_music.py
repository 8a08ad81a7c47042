"""Reproduce "Dreaming in Music: Audio Classification and Modification through Deep Learning".

    python tools/reproduce/dreaming_in_music.py ARCHIVE OUTPUT [--tiny]

ARCHIVE contains fma_medium and fma_metadata. docs/reproduce/ describes the steps.
"""

from pathlib import Path

import archives
from reproduction import Reproduction, command, percent

from tfdream import audio

TITLE = "Dreaming in Music: Audio Classification and Modification through Deep Learning"
GENRES = "Rock,Electronic,Classical,Hip-Hop=Hip-Hop+Pop"
CLIP_SECONDS = 10.0
# Table I; without a word, the network sees the amplitude.
PUBLISHED = {"amplitude": "83.48 %", "phase": "63.31 %", "amplitude_phase": "81.50 %"}
SMALL_CLASSIFIER = ("frontend.size=[64,64]", "training.epochs=2", "model.options.width=8")
SMALL_CYCLEGAN = (
    "frontend.size=[64,64]", "training.epochs=2", "training.pool_images=2",
    "model.options={filters: 4, blocks: 1, discriminator_filters: 4, discriminator_layers: 1}",
)  # fmt: skip
SMALL_DREAM = ("octaves.count=3", "optimizer.steps=4", "optimizer.jitter_pixels=4")
SMALL_TRANSFER = (
    "network.options.weights=random", "network.frontend.size=[64,64]", "optimizer.steps=4",
)  # fmt: skip


def dreaming_in_music(job: Reproduction) -> None:
    """Reproduce "Dreaming in Music" from ARCHIVE, the folder of fma_medium and fma_metadata.

    Style transfer needs the weights of VGG-19, see docs/reproduce/.
    """
    dataset = job.path("dataset")
    classify(job, dataset)
    songs = {genre: write_clip(job, dataset, genre) for genre in ("Hip-Hop", "Classical", "Rock")}
    dream(job, songs)
    transfer(job, songs)
    translate(job, songs)


def classify(job: Reproduction, dataset: Path) -> None:
    job.title("Classification (sections IV and V-A)")
    prepared = job.step(
        *("prepare", job.archive, dataset, "--config", "dreaming_in_music_amplitude"),
        *("--subset", "medium", "--labels", GENRES),
    )
    job.table(
        ("", "published", "here"),
        [("tracks", 6811, prepared["tracks"]), ("clips", 20433, prepared["clips"])],
    )
    classes = job.path("classes.png")
    job.step("plot", "classes", dataset, classes)
    job.figure(classes, "Figure 4: clips and tracks of each class")
    rows = []
    for kind, published in PUBLISHED.items():
        run, confusion = job.path(kind), job.path(f"confusion_{kind}.png")
        job.step("train", f"dreaming_in_music_{kind}", dataset, run, *job.small(*SMALL_CLASSIFIER))
        scores = job.step("evaluate", run, dataset, "--figure", confusion)
        rows.append((kind.replace("_", " and "), published, percent(scores["clip_accuracy"])))
    job.text("Table I: accuracy of the test clips.")
    job.table(("input", "published", "here"), rows)
    job.figure(job.path("confusion_amplitude.png"), "Figure 5: confusion matrix, amplitude")


def write_clip(job: Reproduction, dataset: Path, genre: str) -> Path:
    """Write the first clip of a test track of a genre, and return its path."""
    path = job.path(f"{genre.lower()}.wav")
    if not path.exists():
        with audio.excerpt(job.held_out(dataset, genre), 0, CLIP_SECONDS) as excerpt:
            samples, rate = audio.read(excerpt)
        audio.write(path, samples, rate)
    return path


def dream(job: Reproduction, songs: dict[str, Path]) -> None:
    job.title("Deep Dream (section V-B)")
    song = songs["Hip-Hop"]
    dreams = {
        "dream": ("amplitude", "dream/dreaming_in_music"),
        "dream control": ("amplitude", "dream/dreaming_in_music_guided"),
        "dream on phase": ("phase", "dream/dreaming_in_music_phase"),
        "dream on both": ("amplitude_phase", "dream/dreaming_in_music_amplitude_phase"),
    }
    sounds, rows = {"original, hip hop": song}, []
    for name, (kind, recipe) in dreams.items():
        sounds[name] = job.path(f"{name.replace(' ', '_')}.wav")
        guide = ("--guide", songs["Classical"]) if "control" in name else ()
        result = job.step(
            *("dream", song, sounds[name], "--model", job.path(kind), "--config", recipe),
            *(*guide, "--force", *job.small(*SMALL_DREAM)),
        )
        rows.append(
            [name, *(result[f"objective_{when}"] for when in ("before", "after", "rendered"))]
        )
    job.table(("dream", "objective, original", "optimized picture", "written file"), rows)
    job.spectrograms(
        "Figure 6, and the dreams on phase, which are published without a figure",
        *("dreams.png", sounds),
    )
    filtered = job.path("dream_filtered.wav")
    job.step(
        *("dream", song, filtered, "--model", job.path("amplitude")),
        *("--config", "dream/dreaming_in_music", "--filter", "40-8000", "--force"),
        *job.small(*SMALL_DREAM),
    )
    job.spectrograms(
        "Section VI, filtering as future work: the dream without and with a filter",
        *("filtered.png", {"dream": sounds["dream"], "40 to 8000 Hz": filtered}),
    )


def transfer(job: Reproduction, songs: dict[str, Path]) -> None:
    job.title("Neural style transfer (section V-C)")
    output = job.path("transfer.wav")
    result = job.step(
        *("transfer", songs["Classical"], songs["Rock"], output, "--force"),
        *("--config", "transfer/vgg19_dreaming_in_music", *job.small(*SMALL_TRANSFER)),
    )
    losses = [result[f"style_loss_{when}"] for when in ("before", "after", "rendered")]
    job.table(("style loss, original", "optimized picture", "written file"), [losses])
    sounds = {"content, classical": songs["Classical"], "style, rock": songs["Rock"]}
    job.spectrograms("Figure 7: style transfer", "transfer.png", sounds | {"result": output})


def translate(job: Reproduction, songs: dict[str, Path]) -> None:
    job.title("CycleGAN (section V-D)")
    dataset, run = job.path("dataset_cyclegan"), job.path("cyclegan")
    prepared = job.step(
        *("prepare", job.archive, dataset, "--config", "dreaming_in_music_cyclegan"),
        *("--subset", "medium", "--labels", "Rock,Classical"),
    )
    job.step(
        *("train", "dreaming_in_music_cyclegan", dataset, run),
        *("--set", "labels=[Classical, Rock]", *job.small(*SMALL_CYCLEGAN)),
    )
    job.table(
        ("", "published", "here"),
        [("clips of rock and classical, all folds", "5397 + 1074", prepared["clips"])],
    )
    history, output = job.path("cyclegan.png"), job.path("translated.wav")
    job.step("plot", "history", run, history)
    job.figure(history, "Losses of the CycleGAN, which are published as oscillating")
    job.step(
        *("translate", songs["Classical"], output, "--model", run, "--force"),
        *("--config", "translate/published"),
    )
    sounds = {"original, classical": songs["Classical"], "translated to rock": output}
    job.spectrograms("Figure 8: translation", "translated.png", sounds)


if __name__ == "__main__":
    command(TITLE, dreaming_in_music, archives.fma)()
