"""Commands for presets: networks that are used by name."""

from pathlib import Path

import click

from tfdream.commands import options
from tfdream.commands.console import OrderedGroup, Result, command, progress_bar


@command(name="list")
def list_command() -> Result:
    """List the presets: packaged, installed, and available for download."""
    from tfdream import presets

    rows = [
        {"name": preset.name, "state": preset.state, "title": preset.title}
        for preset in presets.list_presets()
    ]
    return {"models": rows}


@command()
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=options.PATH,
    metavar="FILE",
    help="A run folder, an archive of one, or the downloaded file.",
)
@click.option("--url", help="Address of an archive of a run folder; needs --sha256.")
@click.option("--sha256", metavar="HEX", help="SHA-256 that the archive must have.")
@options.force
def install(
    name: str, source: Path | None, url: str | None, sha256: str | None, force: bool
) -> Result:
    """Install NAME: a download, or a name for the run given by --from or --url.

    Presets are stored in the folder TFDREAM_MODELS, by default the user's data folder. An
    interrupted installation leaves nothing behind.
    """
    from tfdream import presets

    if source is not None and url is not None:
        raise click.UsageError("--from and --url exclude each other")
    if url is not None and sha256 is None:
        raise click.UsageError("--url needs --sha256")
    with progress_bar("downloading", "bytes") as progress:
        installed = presets.install(name, presets.Source(source, url, sha256), force, progress)
    return {"installed": [preset.name for preset in installed]}


@command()
@click.argument("name")
def show(name: str) -> Result:
    """Show the card of the preset NAME: training data, licenses, accuracy, labels, layers."""
    from tfdream import presets

    return presets.describe(presets.find(name))


@command()
@click.argument("name")
def remove(name: str) -> Result:
    """Remove the installed preset NAME."""
    from tfdream import presets

    return {"removed": str(presets.remove(name))}


@click.group(cls=OrderedGroup)
def models() -> None:
    """List, install, show and remove presets: networks that are used by name.

    Every option --model, and every argument RUN except that of train, accepts the name of a preset.
    """


for _command in (list_command, show, install, remove):
    models.add_command(_command)
