"""Steps, tables and figures that the scripts of the four documents share.

A step is a command of tfdream. It is printed, run in this process, and its result is stored in
OUTPUT/steps; called again, finished steps of the same arguments are skipped. OUTPUT/report.md has
the tables and figures.
"""

import gc
import io
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click

from tfdream.io.atomic import write_json, write_text

Result = dict[str, Any]


@dataclass
class Reproduction:
    """One document, reproduced from an archive into a folder.

    Attributes:
      archive: the recordings, in the layout of their archive.
      output: receives datasets, runs, recordings, figures and report.md.
      tiny: use small sizes, to try the script.
    """

    archive: Path
    output: Path
    tiny: bool = False
    _lines: list[str] = field(default_factory=list)

    def path(self, *names: str) -> Path:
        """Return a path in the output folder."""
        return self.output.joinpath(*names)

    def small(self, *settings: str) -> list[object]:
        """Return settings of a tiny reproduction as options; nothing for the published size."""
        return [word for each in settings if self.tiny for word in ("--set", each)]

    def step(self, *arguments: object) -> Result:
        """Run a command of tfdream, unless its result is stored; return the result.

        Raises:
          SystemExit: if the command fails; it has printed the reason.
        """
        words = [str(each) for each in arguments]
        stored = self.path("steps", f"{self._name(words)}.json")
        if stored.is_file():
            before = json.loads(stored.read_text(encoding="utf-8"))
            if before["arguments"] == words:
                return dict(before["result"])
        click.secho(f"$ {shlex.join(['tfdream', *words])}", bold=True, err=True)
        result = _call(words)
        write_json(stored, {"arguments": words, "result": result})
        return result

    def _name(self, words: Sequence[str]) -> str:
        """Return the name of a step: its command, and the names of the files in OUTPUT."""
        inside = [Path(word).relative_to(self.output) for word in words if self._is_inside(word)]
        names = ["-".join(path.parts) for path in inside]
        return "_".join([*(word for word in words[:2] if word.replace("-", "").isalpha()), *names])

    def _is_inside(self, word: str) -> bool:
        return Path(word).is_relative_to(self.output)

    def labels(self, dataset: Path) -> list[str]:
        """Return the labels of a dataset."""
        # Processes of `prepare` import the script, so that its modules must not import TensorFlow.
        from tfdream.datasets import manifest

        return manifest.load(dataset).labels

    def held_out(self, dataset: Path, label: str) -> Path:
        """Return the first recording of a label that is in the test fold of a dataset."""
        from tfdream.datasets import manifest

        opened = manifest.load(dataset)
        index = opened.labels.index(label)
        names = (
            name
            for shard in opened.fold_shards([0])
            for name, number in zip(shard.tracks, shard.track_labels, strict=True)
            if number == index
        )
        return self.archive / next(names)

    # The report

    def title(self, text: str) -> None:
        """Begin a section of the report."""
        self._lines += [f"## {text}", ""]

    def text(self, text: str) -> None:
        """Add a paragraph to the report."""
        self._lines += [text, ""]

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Add a table to the report."""
        lines = [head, ["---"] * len(head), *rows]
        self._lines += [f"| {' | '.join(map(_cell, line))} |" for line in lines]
        self._lines.append("")

    def verdicts(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add the table of `tfdream compare-models` to the report."""
        head = list(rows[0])
        self.table(
            [name.replace("_", " ") for name in head],
            [[row[name] for name in head] for row in rows],
        )

    def figure(self, path: Path, caption: str) -> None:
        """Add a figure in the output folder to the report."""
        self._lines += [f"![{caption}]({path.relative_to(self.output).as_posix()})", ""]
        self._lines += [f"*{caption}*", ""]

    def spectrograms(
        self, caption: str, name: str, sounds: Mapping[str, Path], *options: object
    ) -> None:
        """Draw spectrograms of recordings by title, and add the figure to the report."""
        image = self.path(name)
        titles = [word for title in sounds for word in ("--title", title)]
        self.step("plot", "spectrograms", *sounds.values(), image, *titles, *options)
        self.figure(image, caption)

    def write_report(self, title: str) -> Path:
        """Write report.md and return its path."""
        path = self.path("report.md")
        size = "small sizes on a composed corpus" if self.tiny else "published sizes"
        head = [f"# {title}", "", f"Made from `{self.archive.name}` with {size}.", ""]
        write_text(path, "\n".join([*head, *self._lines]))
        return path


def _call(words: Sequence[str]) -> Result:
    """Run a command in this process and return its JSON object."""
    from tfdream.cli import main

    printed = io.StringIO()
    with redirect_stdout(printed):
        main([*words, "--json"], prog_name="tfdream", standalone_mode=False)
    _free_memory()
    return dict(json.loads(printed.getvalue().splitlines()[-1]))


def _free_memory() -> None:
    """Free the graphs of a step; the next one builds its own."""
    if keras := sys.modules.get("keras"):
        keras.backend.clear_session()
    gc.collect()


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def percent(share: float) -> str:
    """Format a share.

    >>> percent(0.83482)
    '83.48 %'
    """
    return f"{100 * share:.2f} %"


def command(
    title: str, reproduce: Callable[[Reproduction], None], compose: Callable[[Path], None]
) -> click.Command:
    """Return the command line of a script.

    Args:
      title: title of the document.
      reproduce: the steps.
      compose: composes a small corpus in the layout of the archive, for --tiny.
    """
    path = click.Path(path_type=Path)

    @click.command(help=reproduce.__doc__)
    @click.argument("archive", type=path)
    @click.argument("output", type=path)
    @click.option(
        "--tiny",
        is_flag=True,
        help="Compose a small corpus in ARCHIVE, if it does not exist, and use small sizes.",
    )
    def script(archive: Path, output: Path, tiny: bool) -> None:
        archive, output = archive.resolve(), output.resolve()
        if tiny and not archive.exists():
            compose(archive)
        job = Reproduction(archive, output, tiny)
        reproduce(job)
        click.echo(job.write_report(title))

    return script
