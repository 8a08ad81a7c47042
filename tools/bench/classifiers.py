"""Print the table of classifiers in docs/results.md from the output of `tfdream crossvalidate`.

python tools/bench/classifiers.py OUT...

Each OUT is a folder of crossvalidate or its crossvalidation.json.
"""

import json
from pathlib import Path
from typing import Any

import click
from tables import PATH, print_table

HEAD = (
    "data", "network", "parameters", "epochs", "examples/s",
    "clip accuracy: mean ± deviation [95 %]", "track accuracy: mean ± deviation [95 %]", "macro F1",
)  # fmt: skip


def read(out: Path) -> dict[str, Any]:
    path = out / "crossvalidation.json" if out.is_dir() else out
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"'{path}' is not a finished cross-validation: {error}") from None


def accuracy(result: dict[str, Any], name: str) -> str:
    low, high = result[f"{name}_interval"]
    mean, deviation = result[name], result[f"{name}_deviation"]
    return f"{mean:.1%} ± {100 * deviation:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def cells(result: dict[str, Any]) -> list[str]:
    return [
        f"{result['dataset']}, {result['tracks']} tracks, {len(result['folds'])} folds",
        result["config"],
        f"{result['parameters']:,}",
        str(result["epochs"]),
        f"{result['examples_per_second']:.0f}",
        accuracy(result, "clip_accuracy"),
        accuracy(result, "track_accuracy"),
        f"{result['macro_f1']:.3f} ± {result['macro_f1_deviation']:.3f}",
    ]


@click.command()
@click.argument("outs", metavar="OUT...", type=PATH, nargs=-1, required=True)
def main(outs: tuple[Path, ...]) -> None:
    """Print a Markdown table, sorted by dataset and descending clip accuracy."""
    results = sorted(
        map(read, outs), key=lambda result: (result["dataset"], -result["clip_accuracy"])
    )
    print_table(HEAD, map(cells, results), words=2)


if __name__ == "__main__":
    main()
