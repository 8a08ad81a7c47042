"""Tables of style transfers: what was asked for, what is heard, and what classifiers say of it.

    python tools/bench/transfers.py OUTPUT... [--model RUN]...

Each OUTPUT is a file that `tfdream transfer` wrote, with its sidecar beside it; content and style
lie where they lay then. The first table has the losses of each recipe as its config defines them,
so that they compare within a row. With --model there is a second one: the probability of the
style's label (the one that the network gives the style) for content, style and output.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from tables import PATH, number, print_table, ratio, sidecar

from tfdream.errors import TfdreamError
from tfdream.evaluation.modification import compare

LOSSES = (
    "output", "network", "canvas", "optimiser, steps", "style before", "seen", "heard",
    "content seen", "heard", "chroma similarity", "s", "s per s of audio",
)  # fmt: skip
VERDICTS = ("output", "network", "style's label", "content", "style", "output's", "output's label")


def network_name(config: dict[str, Any], run: dict[str, Any] | None) -> str:
    """Such as "vgg19" or "run lil"."""
    if run is not None:
        return f"run {Path(run['folder']).name}"
    return str(config["network"]["name"])


def losses(output: Path) -> list[str]:
    made = sidecar(output, "transfer")
    config, result = made["config"], made["result"]
    change = compare(Path(made["content"]), output)
    for note in change["notes"]:
        click.echo(f"{output}: {note}", err=True)
    content = [result.get(f"content_loss_{when}") for when in ("after", "rendered")]
    return [
        output.stem,
        network_name(config, made["run"]),
        config["canvas"]["kind"],
        f"{config['optimiser']['kind']}, {result['steps']}",
        *(number(result[f"style_loss_{when}"], ".3g") for when in ("before", "after", "rendered")),
        *(number(value, ".3g") for value in content),
        number(change["content_chroma_similarity"], ".2f"),
        f"{result['compute_seconds']:.0f}",
        ratio(result["compute_seconds"], result["audio_seconds"]),
    ]


def verdicts(folder: Path, outputs: tuple[Path, ...]) -> Iterator[list[str]]:
    from tfdream.evaluation.classification import predict
    from tfdream.training.runs import Run

    run = Run.open(folder)
    for output in outputs:
        made = sidecar(output, "transfer")
        files = predict(run, [Path(made["content"]), Path(made["style"]), output])["files"]
        label = files[1]["label"]
        shares = [f"{heard['probabilities'][label]:.3f}" for heard in files]
        yield [output.stem, folder.name, label, *shares, files[2]["label"]]


@click.command()
@click.argument("outputs", metavar="OUTPUT...", type=PATH, nargs=-1, required=True)
@click.option("--model", "runs", type=PATH, multiple=True, help="A run that judges them.")
def main(outputs: tuple[Path, ...], runs: tuple[Path, ...]) -> None:
    """Print Markdown tables, a row for each output in the order given."""
    try:
        print_table(LOSSES, map(losses, outputs), words=4)
        if runs:
            print()
            rows = (row for run in runs for row in verdicts(run, outputs))
            print_table(VERDICTS, rows, words=3)
    except TfdreamError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
