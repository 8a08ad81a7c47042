"""Print a table of style transfers: losses before, after and rendered.

    python tools/bench/transfers.py OUTPUT...

Each OUTPUT is a file that `tfdream transfer` wrote, with its sidecar; its content must still exist
at the same path. Losses are those that each recipe defines, so they are comparable within a row
only; `measures.py` prints measures and predictions that are comparable between rows.
"""

from pathlib import Path
from typing import Any

import click
from tables import PATH, number, print_table, ratio, sidecar

from tfdream.errors import TfdreamError
from tfdream.evaluation.compare import compare

LOSSES = (
    "output", "network", "canvas", "optimizer, steps", "style loss before", "after", "rendered",
    "content loss after", "rendered", "chroma similarity", "s", "s per s of audio",
)  # fmt: skip


def network_name(config: dict[str, Any], run: dict[str, Any] | None) -> str:
    """Return a name such as "vgg19" or "run lil"."""
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
        f"{config['optimizer']['kind']}, {result['steps']}",
        *(number(result[f"style_loss_{when}"], ".3g") for when in ("before", "after", "rendered")),
        *(number(value, ".3g") for value in content),
        number(change["content_chroma_similarity"], ".2f"),
        f"{result['compute_seconds']:.0f}",
        ratio(result["compute_seconds"], result["audio_seconds"]),
    ]


@click.command()
@click.argument("outputs", metavar="OUTPUT...", type=PATH, nargs=-1, required=True)
def main(outputs: tuple[Path, ...]) -> None:
    """Print a Markdown table, with a row per output in the given order."""
    try:
        print_table(LOSSES, map(losses, outputs), words=4)
    except TfdreamError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
