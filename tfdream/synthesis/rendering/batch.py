"""Processing of several audio files into a folder."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from tfdream import audio
from tfdream.errors import AudioError, OutputError, TfdreamError
from tfdream.io.paths import absolute
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.io.system_errors import describe, memory_errors
from tfdream.synthesis.rendering import sidecar
from tfdream.synthesis.rendering.names import PLAIN, Names
from tfdream.synthesis.rendering.options import OutputOptions
from tfdream.synthesis.rendering.sidecar import Provenance

# Errors of the system that concern a single output.
_ACCESS_ERRORS = (PermissionError, FileNotFoundError, IsADirectoryError, NotADirectoryError)

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
    excluded = Path(output).resolve() if output else None
    for path in named:
        if path.is_dir():
            inside = audio.files_below(path)
            if excluded and path.resolve() in excluded.parents:
                inside = [file for file in inside if excluded not in file.resolve().parents]
            files += [file for file in inside if file.suffix.lower() in audio.EXTENSIONS]
        else:
            files.append(path)
    if not files:
        raise AudioError(f"no audio file in '{named[0]}'; name another folder")
    return files


def common_folder(paths: Iterable[str | Path]) -> Path:
    """Return the deepest folder that contains all files and folders among some paths."""
    folders = [path if path.is_dir() else path.parent for path in map(absolute, paths)]
    return Path(os.path.commonpath(folders))


def destinations(
    sources: Iterable[str | Path],
    folder: str | Path,
    root: Path | None = None,
    names: Names = PLAIN,
) -> dict[Path, Path]:
    """Return the output of each source: its name in a folder, in its format if it is writable.

    Of sources in one folder whose names differ in the extension only, the extension joins the
    output's name. Outputs of the same name are put in subfolders: those of the sources, relative to
    their common folder.

    Args:
      sources: audio files; repeated ones count once.
      folder: folder of the outputs.
      root: the common folder; by default the one of the sources.
      names: names of the outputs.

    Raises:
      AudioError: if two outputs would be the same file, or a source would be its own output.

    >>> [path.as_posix() for path in destinations(["a/one.wav", "a/two.mp3"], "out").values()]
    ['out/one.wav', 'out/two.flac']
    >>> [path.as_posix() for path in destinations(["one.wma", "one.m4a"], "out").values()]
    ['out/one.wma.flac', 'out/one.m4a.flac']
    >>> [path.as_posix() for path in destinations(["a/one.wav", "b/one.wav"], "out").values()]
    ['out/a/one.wav', 'out/b/one.wav']
    """
    paths = list(dict.fromkeys(map(Path, sources)))
    root = common_folder(paths) if root is None else root
    named = _output_names(paths, names)
    counts = Counter(named.values())
    outputs: dict[Path, Path] = {}
    inputs = {path.resolve() for path in paths}
    for source in paths:
        output = Path(folder) / named[source]
        if counts[named[source]] > 1:
            output = Path(folder) / absolute(source).parent.relative_to(root) / named[source]
        output = names.free(output, outputs.values())
        if output in outputs.values():
            raise AudioError(
                f"two files would be written to '{output}'; process them one by one, under "
                "different names"
            )
        if output.resolve() == source.resolve():
            raise AudioError(f"'{source}' would overwrite itself; name another folder")
        if output.resolve() in inputs:
            raise AudioError(
                f"the output of '{source}' would overwrite the input '{output}'; name another "
                "folder"
            )
        outputs[source] = output
    return outputs


def _output_names(paths: Collection[Path], names: Names) -> dict[Path, str]:
    """Return the name of each output, unique among those of sources in the same folder."""
    in_folder = Counter((path.parent, names.of(path)) for path in paths)
    named = {}
    for path in paths:
        name = names.of(path)
        is_unique = path.suffix == Path(name).suffix or in_folder[path.parent, name] == 1
        named[path] = name if is_unique else names.with_extension_of(path)
    return named


def process_folder(
    sources: Iterable[str | Path],
    folder: str | Path,
    recipe: FileRecipe[Options],
    options: Options,
    progress: ProgressFn = no_progress,
    stop_requested: Callable[[], bool] = lambda: False,
    names: Names = PLAIN,
) -> dict[str, Any]:
    """Process files, and those in folders, into a folder; see `process_each`.

    Args:
      sources: files and folders.
      folder: folder of the outputs, see `destinations`.
      recipe: processes one file.
      options: options of each file; `force` computes existing outputs again.
      progress: receives the progress of each file.
      stop_requested: returns whether to stop before the next file.
      names: names of the outputs.
    """
    paths = list(sources)
    outputs = destinations(recordings(paths, folder), folder, common_folder(paths), names)
    return process_each(outputs, recipe, options, progress, stop_requested)


def process_each(
    outputs: dict[Path, Path],
    recipe: FileRecipe[Options],
    options: Options,
    progress: ProgressFn = no_progress,
    stop_requested: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Process one file after the other; a file that cannot be processed is skipped and logged.

    That is a file that cannot be read, whose output cannot be accessed, or that needs more memory
    than there is. A full disk and unforeseen exceptions stop the batch, and the log reports what is
    finished.

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
      OutputError, OSError: if an output cannot be written completely; those before it remain.
    """
    options = replace(options, other_outputs=frozenset(outputs.values()))
    batch = _Batch(recipe, options, progress, len(outputs))
    for source, output in outputs.items():
        if stop_requested() or batch.process(source, output):
            batch.result["interrupted"] = True
            break
    result = batch.result
    if result["skipped"] and not result["files"] and not result["skipped_existing"]:
        count = f"none of {len(outputs)} files could be processed: " if len(outputs) > 1 else ""
        raise AudioError(count + result["skipped"][0]["reason"])
    return result


def _errors_of_one_file() -> tuple[type[Exception], ...]:
    return (TfdreamError, *_ACCESS_ERRORS, *memory_errors())


class _Batch(Generic[Options]):
    """The processing of several files, and the results so far."""

    def __init__(
        self, recipe: FileRecipe[Options], options: Options, progress: ProgressFn, count: int
    ) -> None:
        self.recipe = recipe
        self.options = options
        self.progress = progress
        self.count = count
        self.result: dict[str, Any] = {"files": [], "skipped_existing": [], "skipped": []}
        self._is_prepared = False

    def process(self, source: Path, output: Path) -> bool:
        """Process a file, unless its output exists; return whether it was interrupted.

        Errors that concern this file alone skip it. Others, such as a full disk or an unforeseen
        exception, are raised after a report of what is finished.
        """
        try:
            return self._process(source, output)
        except Exception:
            self._report_stop(source)
            raise

    def _process(self, source: Path, output: Path) -> bool:
        try:
            status = sidecar.status(output, self.recipe.provenance(source, self.options))
            if status == "complete" and not self.options.force:
                self.result["skipped_existing"].append(str(output))
                self._note_missing_snapshots(output)
                return False
            if not self._is_prepared:
                audio.info(source)
        except _errors_of_one_file() as error:
            self._skip(source, error)
            return False
        if not self._is_prepared:  # an error of the settings concerns all files
            self.recipe.prepare(source)
            self._is_prepared = True
        force = self.options.force or status == "interrupted"
        try:
            each = self.recipe(source, output, replace(self.options, force=force), self.progress)
        except _errors_of_one_file() as error:
            self._skip(source, error)
            return False
        self.result["files"].append(each)
        return "interrupted" in each

    def _note_missing_snapshots(self, output: Path) -> None:
        """Log if an existing output has no intermediate results, although they are requested."""
        requested = getattr(self.options, "save_every", None)
        if requested and not sidecar.read(output).get("result", {}).get("snapshots"):
            _logger.warning(
                "'%s' exists without intermediate results; --force computes it again", output
            )

    def _skip(self, source: Path, error: Exception) -> None:
        """Skip a file because of an error; raise the error if it concerns all files."""
        if isinstance(error, OutputError):
            raise error
        reason = str(error) if isinstance(error, TfdreamError) else describe(error)
        if self.count > 1:  # the problem of a single file is raised
            _logger.error("Skipped: %s", reason)
        self.result["skipped"].append({"path": str(source), "reason": reason})

    def _report_stop(self, source: Path) -> None:
        finished = len(self.result["files"]) + len(self.result["skipped_existing"])
        if self.count > 1:
            _logger.error(
                "Stopped at '%s'; %d of %d outputs are finished and remain, %d files were skipped",
                source,
                finished,
                self.count,
                len(self.result["skipped"]),
            )
