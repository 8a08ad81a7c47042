"""Print a table of the measures of `tfdream compare` for changed recordings.

    python tools/bench/measures.py OUTPUT... [--model RUN]...

Each OUTPUT is a file that `tfdream dream`, `transfer` or `translate` wrote, with its sidecar; its
inputs must still exist at the same paths. With --model, a second table has the predictions of each
network before and after, and the probabilities of the target label: the predicted label of the
style of a transfer, or the target genre of a translation.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
from tables import PATH, number, print_table, sidecar

from tfdream.errors import TfdreamError
from tfdream.evaluation.compare import compare

HEAD = (
    "output", "command", "spectrum, dB", "chroma similarity", "onset correlation", "floor, dB",
    "flatness, dB", "loudness, LU", "style distance before", "after",
)  # fmt: skip
FORMS = {
    "log_spectral_distance_db": ".1f",
    "content_chroma_similarity": ".2f",
    "onset_correlation": ".2f",
    "floor_rise_db": "+.1f",
    "flatness_change_db": "+.1f",
    "loudness_change_lu": "+.1f",
    "style_distance_before": ".3f",
    "style_distance_after": ".3f",
}
PREDICTIONS = (
    "output",
    "network",
    "label before",
    "after",
    "target label",
    "before",
    "after",
    "style",
)
COMMANDS = ("dream", "transfer", "translate")


def original(made: dict[str, Any]) -> Path:
    return Path(made["content"] if made["command"] == "transfer" else made["source"])


def style(made: dict[str, Any]) -> Path | None:
    return Path(made["style"]) if "style" in made else None


@cache
def style_distance(path: Path) -> Any:
    from tfdream.evaluation.measures.style import StyleDistance

    return StyleDistance(path)


def measures(output: Path) -> list[str]:
    made = sidecar(output, *COMMANDS)
    target = style(made)
    change = compare(original(made), output, [style_distance(target)] if target else [])
    for note in change["notes"]:
        click.echo(f"{output}: {note}", err=True)
    cells = [number(change.get(name), form) for name, form in FORMS.items()]
    return [output.stem, made["command"], *cells]


def predictions(folder: Path, outputs: tuple[Path, ...]) -> Iterator[list[str]]:
    from tfdream.evaluation.measures.classes import ClassMeasure
    from tfdream.runs import Run

    run = Run.open(folder)
    for output in outputs:
        made = sidecar(output, *COMMANDS)
        result = ClassMeasure(run, style(made))(original(made), output)
        target_label = result.get("label_style")
        if made["command"] == "translate":
            target_label = made["direction"].partition(" to ")[2]
        shares = [
            number(result.get(f"probabilities_{when}", {}).get(target_label), ".3f")
            for when in ("before", "after", "style")
        ]
        labels = [result["label_before"], result["label_after"], target_label or "–"]
        yield [output.stem, folder.name, *labels, *shares]


@click.command()
@click.argument("outputs", metavar="OUTPUT...", type=PATH, nargs=-1, required=True)
@click.option(
    "--model",
    "runs",
    type=PATH,
    multiple=True,
    help="A classifier. Repeatable.",
)
def main(outputs: tuple[Path, ...], runs: tuple[Path, ...]) -> None:
    """Print Markdown tables, with a row per output in the given order."""
    try:
        print_table(HEAD, map(measures, outputs), words=2)
        if runs:
            print()
            rows = (row for run in runs for row in predictions(run, outputs))
            print_table(PREDICTIONS, rows, words=5)
    except TfdreamError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
