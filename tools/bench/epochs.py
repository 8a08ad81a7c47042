"""Print loss, accuracy and time per epoch of a run, as in the thesis that published raw_conv1d.

python tools/bench/epochs.py RUN
"""

import csv
from pathlib import Path

import click

COLUMNS = {
    "epoch": "{:.0f}",
    "loss": "{:.4f}",
    "val_loss": "{:.4f}",
    "val_accuracy": "{:.1%}",
    "seconds": "{:.2f}",
}


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(run: Path) -> None:
    """Print a Markdown table."""
    with (run / "history.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {name: form for name, form in COLUMNS.items() if name in rows[0]}
    print(f"| {' | '.join(columns)} |")
    print("|" + "---:|" * len(columns))
    for row in rows:
        cells = (form.format(float(row[name])) for name, form in columns.items())
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
