"""Processing of several audio files into a folder."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tfdream import audio
from tfdream.errors import AudioError, OutputError, TfdreamError
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.synthesis.rendering import sidecar
from tfdream.synthesis.rendering.options import OutputOptions
from tfdream.synthesis.rendering.sidecar import Provenance

# Extension of outputs whose source has a format that cannot be written.
_DEFAULT_EXTENSION = ".flac"

_logger = logging.getLogger(__name__)

Options_contra = TypeVar("Options_contra", bound=OutputOptions, contravariant=True)
Options = TypeVar("Options", bound=OutputOptions)


class FileRecipe(Protocol[Options_contra]):
    """Interface for the processing of single files, with settings that are the same for all."""

    def __call__(
        self, source: Path, output: Path, options: Options_contra, progress: ProgressFn = ..., /
    ) -> dict[str, Any]:
        """Process a file and return its result."""

    def prepare(self, source: Path, /) -> object:
        """Build and return what the processing of a file needs.

        Raises:
          ConfigError, ModelError: if the settings do not fit, whatever the file.
        """

    def provenance(self, source: Path, options: Options_contra, /) -> Provenance:
        """Return the inputs and settings that determine the output of a file."""


def recordings(paths: Iterable[str | Path], output: str | Path | None = None) -> list[Path]:
    """Return the audio files among some paths and, for folders, in them at any depth.

    Args:
      paths: files and folders.
      output: a folder to leave out, if it is in one of them.

    Raises:
      AudioError: if there are none.
    """
    files, named = [], [Path(path) for path in paths]
    excluded = output and Path(output)
    for path in named:
        if path.is_dir():
            inside = [file for file in audio.files_below(path) if excluded not in file.parents]
            files += [file for file in inside if file.suffix.lower() in audio.EXTENSIONS]
        else:
            files.append(path)
    if not files:
        raise AudioError(f"no audio file in '{named[0]}'; name another folder")
    return files


def destinations(sources: Iterable[str | Path], folder: str | Path) -> dict[Path, Path]:
    """Return the output of each source: its name in a folder, in its format if it is writable.

    Of sources whose names differ in the extension only, the extension joins the output's name.

    Raises:
      AudioError: if two outputs would have the same name, or a source would be its own output.

    >>> [path.name for path in destinations(["a/one.wav", "a/two.mp3"], "out").values()]
    ['one.wav', 'two.flac']
    >>> [path.name for path in destinations(["one.wma", "one.m4a"], "out").values()]
    ['one.wma.flac', 'one.m4a.flac']
    """
    paths = list(map(Path, sources))
    names = Counter(_output_name(path) for path in paths)
    outputs: dict[Path, Path] = {}
    for source in paths:
        name = _output_name(source)
        if names[name] > 1 and name != source.name:
            name = source.name + _DEFAULT_EXTENSION
        output = Path(folder) / name
        if output in outputs.values():
            raise AudioError(
                f"two files would be written to '{output}'; process them one by one, under "
                "different names"
            )
        if output.resolve() == source.resolve():
            raise AudioError(f"'{source}' would overwrite itself; name another folder")
        outputs[source] = output
    return outputs


def _output_name(source: Path) -> str:
    suffix = source.suffix.lower()
    return source.stem + (suffix if audio.is_writable(suffix) else _DEFAULT_EXTENSION)


def process_folder(
    sources: Iterable[str | Path],
    folder: str | Path,
    recipe: FileRecipe[Options],
    options: Options,
    progress: ProgressFn = no_progress,
    stop_requested: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Process files, and those in folders, into a folder; see `process_each`.

    Args:
      sources: files and folders.
      folder: folder of the outputs, which have the names of their sources.
      recipe: processes one file.
      options: options of each file; `force` computes existing outputs again.
      progress: receives the progress of each file.
      stop_requested: returns whether to stop before the next file.
    """
    outputs = destinations(recordings(sources, folder), folder)
    return process_each(outputs, recipe, options, progress, stop_requested)


def process_each(
    outputs: dict[Path, Path],
    recipe: FileRecipe[Options],
    options: Options,
    progress: ProgressFn = no_progress,
    stop_requested: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Process one file after the other; a file that cannot be processed is skipped and logged.

    A complete output of the same provenance is not computed again.

    Args:
      outputs: output of each source, as `destinations` returns them.
      recipe: processes one file.
      options: options of each file; `force` computes existing outputs again.
      progress: receives the progress of each file.
      stop_requested: returns whether to stop before the next file.

    Returns:
      files: the results; skipped_existing: existing outputs; skipped: path and reason; interrupted,
      if one was interrupted, or the rest was not begun.

    Raises:
      AudioError: if no file could be processed.
      ConfigError, ModelError: if the settings do not fit the network.
      OutputError: if an output cannot be written; those before it remain.
    """
    result: dict[str, Any] = {"files": [], "skipped_existing": [], "skipped": []}
    is_prepared = False
    for source, output in outputs.items():
        if stop_requested():
            result["interrupted"] = True
            break
        status = sidecar.status(output, recipe.provenance(source, options))
        if status == "complete" and not options.force:
            result["skipped_existing"].append(str(output))
            continue
        problem = None if is_prepared else _reading_problem(source)
        if problem is None and not is_prepared:
            recipe.prepare(source)
            is_prepared = True
        if problem is None:
            force = options.force or status == "interrupted"
            try:
                each = recipe(source, output, replace(options, force=force), progress)
                result["files"].append(each)
            except (OutputError, OSError):
                raise
            except TfdreamError as error:
                problem = str(error)
        if problem is not None:
            if len(outputs) > 1:  # the problem of a single file is raised
                _logger.error("Skipped: %s", problem)
            result["skipped"].append({"path": str(source), "reason": problem})
        elif "interrupted" in each:
            result["interrupted"] = True
            break
    if result["skipped"] and not result["files"] and not result["skipped_existing"]:
        count = f"none of {len(outputs)} files could be processed: " if len(outputs) > 1 else ""
        raise AudioError(count + result["skipped"][0]["reason"])
    return result


def _reading_problem(source: Path) -> str | None:
    """Return why a file cannot be opened, or None."""
    try:
        audio.info(source)
    except AudioError as error:
        return str(error)
    return None
