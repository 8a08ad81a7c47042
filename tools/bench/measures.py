"""What changed recordings are like: a table of the measures of `tfdream compare`.

    python tools/bench/measures.py OUTPUT... [--model RUN]...

Each OUTPUT is a file that `tfdream dream`, `transfer` or `translate` wrote, with its sidecar
beside it; what it was made of, and the style of a transfer, lie where they lay then. With --model
there is a second table: what each network hears before and after, and how likely it finds the label
that was wanted (the one that it gives the style of a transfer, or the genre that a translation
goes to).
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
VERDICTS = (
    "output",
    "network",
    "heard before",
    "after",
    "wanted label",
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


def verdicts(folder: Path, outputs: tuple[Path, ...]) -> Iterator[list[str]]:
    from tfdream.evaluation.measures.classes import ClassMeasure
    from tfdream.runs import Run

    run = Run.open(folder)
    for output in outputs:
        made = sidecar(output, *COMMANDS)
        heard = ClassMeasure(run, style(made))(original(made), output)
        wanted = heard.get("label_style")
        if made["command"] == "translate":
            wanted = made["direction"].partition(" to ")[2]
        shares = [
            number(heard.get(f"probabilities_{when}", {}).get(wanted), ".3f")
            for when in ("before", "after", "style")
        ]
        labels = [heard["label_before"], heard["label_after"], wanted or "–"]
        yield [output.stem, folder.name, *labels, *shares]


@click.command()
@click.argument("outputs", metavar="OUTPUT...", type=PATH, nargs=-1, required=True)
@click.option("--model", "runs", type=PATH, multiple=True, help="A run that judges them.")
def main(outputs: tuple[Path, ...], runs: tuple[Path, ...]) -> None:
    """Print Markdown tables, a row for each output in the order given."""
    try:
        print_table(HEAD, map(measures, outputs), words=2)
        if runs:
            print()
            rows = (row for run in runs for row in verdicts(run, outputs))
            print_table(VERDICTS, rows, words=5)
    except TfdreamError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
