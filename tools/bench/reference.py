"""A small fixed set of measures per recipe, to notice changes of TensorFlow, Keras or the CPU.

Each recipe runs as its command does, on the composed corpus, with a network that was trained for
two epochs. The results of this software stack replace its section in docs/reference_results.md:

    python tools/bench/reference.py

`tests/test_reference.py` (slow) repeats the computation and compares it with every stored section.
"""

import json
import platform
import re
import tempfile
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import click
from click.testing import CliRunner

from tfdream import cli

PAGE = Path(__file__).parents[2] / "docs" / "reference_results.md"
INTRODUCTION = """# Reference results

Measures of a fixed small computation per recipe, one table for each software stack. A change of
TensorFlow, Keras, NumPy or the processor's instructions that changes results shows up here. On one
machine and stack, every value is reproduced to the last digit. `python tools/bench/reference.py`
replaces the section of the stack that it runs on, and the slow test `tests/test_reference.py`
compares the present stack with all of them. These networks are trained for two epochs on 80 seconds
of audio: the values show equality, not quality.
"""


class Tolerance(NamedTuple):
    """The permitted difference between two stacks, and its reason."""

    relative: float
    absolute: float
    reason: str

    def __str__(self) -> str:
        parts = [f"{self.relative:.3g} ×"] if self.relative else []
        return " + ".join([*parts, *([f"{self.absolute:.3g}"] if self.absolute else [])]) or "0"


EXACT = Tolerance(0, 0, "counts do not depend on arithmetic")
RANDOM = Tolerance(
    0.15, 0.02, "two epochs amplify rounding: order of sums, fused operations, XLA kernels"
)
ROUNDING = Tolerance(
    0.1, 0.01, "a trained network differs (see training), and gradient steps follow it"
)
FEATURES = Tolerance(
    0.02, 1e-3, "random features from the same seed; only the steps amplify rounding"
)
SAMPLES = Tolerance(0.15, 0.05, "sampled frames change wholly where two probabilities are close")
FORWARD = Tolerance(0.01, 1e-3, "one forward pass or a search without a trained network")


class Measure(NamedTuple):
    """One measured value."""

    recipe: str
    name: str
    value: float
    tolerance: Tolerance


class Reference(NamedTuple):
    """All results of one run."""

    measures: list[Measure]
    seconds: dict[str, float]
    """Duration of each recipe, for the reader; it is not compared."""


def stack() -> str:
    """Return the name of this software stack: versions, and instructions of the processor."""
    versions = ", ".join(
        f"{label} {metadata.version(package)}"
        for label, package in (("TensorFlow", "tensorflow"), ("Keras", "keras"), ("NumPy", "numpy"))
    )
    return f"{versions}, Python {platform.python_version()}, {_instructions()}"


def _instructions() -> str:
    information = Path("/proc/cpuinfo")
    flags = set(information.read_text().split()) if information.is_file() else set()
    present = [flag for flag in ("avx2", "fma", "avx512f", "amx_tile") if flag in flags]
    return " ".join([platform.machine(), *present])


def measure(folder: Path) -> Reference:
    """Run all recipes in an empty folder."""
    measures: list[Measure] = []
    seconds: dict[str, float] = {}

    def run(recipe: str, tolerance: Tolerance, names: str, *arguments: object) -> None:
        start = time.perf_counter()
        result = _call(*arguments)
        seconds[recipe] = seconds.get(recipe, 0.0) + time.perf_counter() - start
        for name in names.split():
            value = result
            for key in name.split("/"):
                value = value[int(key)] if isinstance(value, list) else value[key]
            measures.append(Measure(recipe, name, float(value), tolerance))

    songs, dataset, network = folder / "songs", folder / "dataset", folder / "run"
    _call("corpus", songs, "--tracks", 2, "--seconds", 10)
    styles = sorted(path.name for path in songs.iterdir())
    content, style = (sorted((songs / name).iterdir())[0] for name in styles[:2])
    folds = ("--set", "prepare.folds=2")
    run(
        *("prepare", EXACT, "tracks clips"),
        *("prepare", songs, dataset, "--config", "recommended", "--workers", 1, *folds),
    )
    run(
        *("train", RANDOM, "epochs metrics/loss"),
        *("train", "recommended", dataset, network, "--epochs", 2, *folds),
        *("--set", "training.warmup_epochs=0"),
    )
    run("predict", RANDOM, "files/0/probabilities/" + styles[0], "predict", network, content)
    run(
        *("dream", ROUNDING, "objective_before objective_rendered peak samples"),
        *("dream", content, folder / "dream.flac", "--model", network, "--seconds", 5),
        *("--config", "dream/subtle", "--layer", "conv5", "--set", "optimizer.steps=10"),
    )
    run(
        *("transfer", FEATURES, "style_loss_before style_loss_rendered content_loss_rendered"),
        *("transfer", content, style, folder / "transfer.flac"),
        *("--config", "transfer/texture", "--set", "optimizer.steps=10"),
    )
    spectra = "log_spectral_distance_db content_chroma_similarity onset_correlation"
    for recipe in ("timbre", "musaic"):
        result = folder / f"{recipe}.flac"
        run(
            *(f"transfer/{recipe}", FORWARD, "peak samples"),
            *("transfer", content, style, result, "--config", f"transfer/{recipe}"),
        )
        run(f"transfer/{recipe}", FORWARD, spectra, "compare", content, result)
    short = ("--set", "prepare.clip_seconds=2.5", *folds)
    pair = folder / "pair"
    run(
        *("translate", ROUNDING, "clips"),
        *("prepare", _manifest(songs, styles[:2]), pair, "--config", "small_cyclegan"),
        *("--workers", 1, *short),
    )
    run(
        *("translate", RANDOM, "epochs"),
        *("train", "small_cyclegan", pair, folder / "gan", "--epochs", 2, *short),
        *("--set", "training.batch_size=4"),
    )
    run(
        *("translate", RANDOM, "peak samples"),
        *("translate", content, folder / "translation.flac", "--model", folder / "gan"),
    )
    recommended = "recommended_translation"
    run(
        *(recommended, ROUNDING, "clips"),
        *("prepare", songs / "manifest.csv", folder / "sides", "--config", recommended),
        *("--workers", 1, *folds),
    )
    run(
        *(recommended, RANDOM, "epochs"),
        *("train", recommended, folder / "sides", folder / "translator", "--epochs", 2, *folds),
        *("--set", "training.batch_size=4", "--set", "training.steps_per_epoch=5"),
    )
    result = folder / "recommended.flac"
    run(
        *(recommended, RANDOM, "peak samples"),
        *("translate", content, result, "--model", folder / "translator"),
    )
    run(recommended, RANDOM, spectra, "compare", content, result)
    run(
        *("generate", RANDOM, "epochs"),
        *("train", "recommended_generator", dataset, folder / "generator", "--epochs", 2),
        *(*folds, "--set", "model.options.units=32", "--set", "training.preview_every=1000"),
    )
    run(
        *("generate", SAMPLES, "peak samples"),
        *("generate", folder / "generation.flac", "--model", folder / "generator"),
        *("--seconds", 2),
    )
    return Reference(measures, seconds)


def _manifest(songs: Path, styles: Iterable[str]) -> Path:
    """Write a manifest of the songs of some styles."""
    rows = [
        f"{style}/{path.name},{style}" for style in styles for path in (songs / style).iterdir()
    ]
    manifest = songs / "manifest.csv"
    manifest.write_text("\n".join(["path,label", *sorted(rows), ""]))
    return manifest


def _call(*arguments: object) -> dict:
    call = CliRunner().invoke(cli.main, [*map(str, arguments), "--json"])
    if call.exit_code:
        if call.exception and not isinstance(call.exception, SystemExit):
            raise call.exception
        raise SystemExit(f"tfdream {' '.join(map(str, arguments))}\n{call.output}")
    return json.loads(call.stdout.splitlines()[-1])


def read(page: Path = PAGE) -> dict[str, dict[tuple[str, str], float]]:
    """Return the stored values by stack, recipe and name."""
    stored: dict[str, dict[tuple[str, str], float]] = {}
    for name, section in _sections(page).items():
        rows = re.findall(r"^\| ([\w/]+) \| `([^`]+)` \| ([^ |]+) \|", section, re.MULTILINE)
        stored[name] = {(recipe, measure): float(value) for recipe, measure, value in rows}
    return stored


def _sections(page: Path) -> dict[str, str]:
    if not page.is_file():
        return {}
    parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def write(reference: Reference, page: Path = PAGE) -> None:
    """Replace the section of this stack."""
    rows = [
        "| recipe | measure | value | tolerance | reason |",
        "| --- | --- | ---: | --- | --- |",
        *(
            f"| {recipe} | `{name}` | {value:.7g} | {tolerance} | {tolerance.reason} |"
            for recipe, name, value, tolerance in reference.measures
        ),
    ]
    times = ", ".join(f"{recipe} {seconds:.1f}" for recipe, seconds in reference.seconds.items())
    table = "\n".join(rows)
    sections = _sections(page) | {stack(): f"\n\n{table}\n\nSeconds of each recipe: {times}.\n"}
    text = "\n".join(f"## {name}\n\n{body.strip()}\n" for name, body in sections.items())
    page.write_text(f"{INTRODUCTION}\n{text}", encoding="utf-8")


def differences(measures: Iterable[Measure], stored: dict[tuple[str, str], float]) -> Iterable[str]:
    """Yield a line for each measure outside its tolerance of the stored value."""
    for recipe, name, value, tolerance in measures:
        before = stored.get((recipe, name))
        if before is None:
            yield f"{recipe} {name} is not stored"
        elif abs(value - before) > tolerance.relative * abs(before) + tolerance.absolute + 1e-6:
            yield f"{recipe} {name}: {value:.7g} instead of {before:.7g} (tolerance {tolerance})"


@click.command()
def main() -> None:
    """Measure every recipe, print what differs from other stacks, and store the measures."""
    with tempfile.TemporaryDirectory() as folder:
        reference = measure(Path(folder))
    for name, stored in read().items():
        for line in differences(reference.measures, stored):
            click.echo(f"{name}: {line}", err=True)
    write(reference)
    print(f"{sum(reference.seconds.values()):.0f} s; written to {PAGE}")


if __name__ == "__main__":
    main()
