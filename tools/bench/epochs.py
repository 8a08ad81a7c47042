"""A run's loss, accuracy and time per epoch, as the thesis behind raw_conv1d tables them.

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
    known = {name: form for name, form in COLUMNS.items() if name in rows[0]}
    print(f"| {' | '.join(known)} |")
    print("|" + "---:|" * len(known))
    for row in rows:
        cells = (form.format(float(row[name])) for name, form in known.items())
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
