"""Installing, removing and describing presets."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tfdream.errors import ConfigError, ModelError, did_you_mean
from tfdream.io.checksums import file_sha256
from tfdream.io.download import fetch
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.io.signals import uninterrupted
from tfdream.presets import archives, downloads
from tfdream.presets.card import ModelCard
from tfdream.presets.catalog import Preset, find, presets_by_name
from tfdream.runs import RunFolder, open_run
from tfdream.runs.named import PACKAGED, named_runs, user_folder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Names in the staging folder that no preset can have.
_DOWNLOADED, _REPLACED = ".downloaded", ".replaced"


@dataclass(frozen=True)
class Source:
    """Location of a run to install: a local path, or an address with the hash of its file.

    Attributes:
      path: a run folder, an archive of one, or the file of a download; it precedes `url`.
      url: address of an archive, or of the file of a download.
      sha256: the hash that the file must have; required with `url`.
    """

    path: str | Path | None = None
    url: str | None = None
    sha256: str | None = None

    def obtain(self, download: Path, progress: ProgressFn = no_progress) -> Path:
        """Return the local path, after a check of the hash; download to `download` if needed.

        Raises:
          ConfigError: if there is neither a path nor a URL, or a URL without a hash.
          ModelError: if the path does not exist, the download fails, or the hash differs.
        """
        if self.path is None:
            if self.url is None:
                raise ConfigError("--sha256 needs --from or --url")
            if self.sha256 is None:
                raise ConfigError("a URL needs the SHA-256 of its file; give it with --sha256")
            if not re.fullmatch("[0-9a-fA-F]{64}", self.sha256):
                raise ConfigError(f"--sha256 {self.sha256} is not 64 hexadecimal digits")
            return fetch(self.url, self.sha256, download, progress)
        path = Path(self.path)
        if not path.exists():
            raise ModelError(f"'{path}' does not exist")
        if self.sha256 is not None:
            _check_hash(path, self.sha256.lower())
        return path


NO_SOURCE = Source()


def _check_hash(path: Path, expected: str) -> None:
    if path.is_dir():
        raise ModelError(f"'{path}' is a folder, which has no SHA-256; give the file")
    actual = file_sha256(path)
    if actual != expected:
        raise ModelError(f"'{path}' has the SHA-256 {actual}, not {expected}; download it again")


def install(
    name: str,
    source: Source = NO_SOURCE,
    force: bool = False,
    progress: ProgressFn = no_progress,
) -> list[Preset]:
    """Install presets, completely or not at all.

    Args:
      name: a download, one of its presets (which installs all of them), or a new name for the run
        in `source`.
      source: where the run is; a download needs none.
      force: replace presets of the same name.
      progress: receives downloaded and all bytes.

    Returns:
      The installed presets.

    Raises:
      ConfigError: if the arguments do not fit together, or a preset of the name exists.
      ModelError: if the source is damaged, has another hash, or contains no run.
    """
    module = _download_of(name)
    if module is None and source == NO_SOURCE:
        raise ConfigError(
            f"'{name}' is not available for download{did_you_mean(name, downloads.names())}; give "
            f"a run folder or an archive with --from, or use one of: {', '.join(downloads.names())}"
        )
    names = module.PRESETS if module else (name,)
    for each in names:
        _check_name(each, force)
    if module is not None:
        # The pinned hash holds wherever the file is from.
        if source.sha256 is not None and source.sha256.lower() != module.SHA256:
            raise ConfigError(
                f"--sha256 {source.sha256} is not the SHA-256 of the download '{name}', "
                f"{module.SHA256}; leave it out, or use another name"
            )
        source = Source(source.path, source.url or module.URL, module.SHA256)
    user_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".install-", dir=user_folder()) as staging:
        folder = Path(staging)
        path = source.obtain(folder / _DOWNLOADED, progress)
        with _naming(str(source.path or source.url), folder):
            if module is None:
                _copy(path, folder / name)
            else:
                module.convert(path, folder)
            for each in names:
                _check_run(folder / each)
        _replace(names, folder)
    presets = presets_by_name()
    return [presets[each] for each in names]


def remove(name: str) -> Path:
    """Remove an installed preset and return its folder; of a link, only the link is removed.

    Raises:
      ModelError: if it is not installed, or part of the package.
    """
    preset = find(name)
    if preset.state != "installed" or preset.folder is None:
        reason = "part of the package" if preset.state == "packaged" else "not installed"
        raise ModelError(f"the preset '{name}' is {reason} and cannot be removed")
    if preset.folder.is_symlink():
        preset.folder.unlink()
    else:
        shutil.rmtree(preset.folder)
    return preset.folder


def describe(preset: Preset) -> dict[str, object]:
    """Return the facts of a preset: task, labels, input and card, as far as it is installed."""
    facts: dict[str, object] = {"name": preset.name, "state": preset.state, "title": preset.title}
    if preset.folder is None:
        return facts | {"install": f"tfdream models install {preset.download}"}
    run = open_run(preset.folder)
    card = ModelCard.read(preset.folder)
    facts |= {
        "folder": str(preset.folder),
        "task": run.config.task,
        "model": _architecture(run),
        "sample_rate": run.sample_rate,
        "clip_seconds": run.input_samples / run.sample_rate,
        "labels": run.labels,
    }
    return facts | {"card": card.model_dump(mode="json") if card else None}


def _architecture(run: RunFolder) -> str:
    model = getattr(run.config, "model", None)
    return model.name if model is not None else ""


def _download_of(name: str) -> downloads.Download | None:
    for download in downloads.names():
        module = downloads.load(download)
        if name == download or name in module.PRESETS:
            return module
    return None


def _check_name(name: str, force: bool) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"the name '{name}' of a preset may have letters, digits, '.', '_' and '-', at most 64"
        )
    existing = named_runs().get(name)
    if existing is not None and existing.parent == PACKAGED:
        raise ConfigError(f"the preset '{name}' is part of the package; use another name")
    if existing is not None and not force:
        raise ConfigError(f"the preset '{name}' is installed already; --force replaces it")
    target = user_folder() / name
    if existing is None and os.path.lexists(target):
        raise ConfigError(
            f"'{target}' exists and is not a preset, so it is not replaced; move it away, or use "
            "another name"
        )


def _copy(source: Path, folder: Path) -> None:
    """Copy the files of a run from its folder or from an archive."""
    folder.mkdir()
    if not source.is_dir():
        archives.unpack(source, folder)
        return
    for name in archives.FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def _check_run(folder: Path) -> None:
    """Raise ModelError if a run cannot be opened, its weights loaded, or its card read."""
    open_run(folder).load_networks()
    ModelCard.read(folder)


@contextmanager
def _naming(source: str, staging: Path) -> Iterator[None]:
    """Name the source in errors about its copy in the staging folder."""
    try:
        yield
    except ModelError as error:
        copy = re.escape(str(staging) + os.sep) + r"[^/\\']+"
        raise ModelError(re.sub(copy, lambda _: source, str(error))) from None


def _replace(names: Sequence[str], staging: Path) -> None:
    """Move new run folders into place; after an error, all earlier ones are as before."""
    earlier = staging / _REPLACED
    earlier.mkdir()
    with uninterrupted():
        try:
            for name in names:
                target = user_folder() / name
                if os.path.lexists(target):
                    target.rename(earlier / name)
                (staging / name).rename(target)
        except BaseException:
            for name in names:
                _restore(user_folder() / name, earlier / name, staging / name)
            raise


def _restore(target: Path, earlier: Path, new: Path) -> None:
    if not new.exists():  # it was moved into place
        target.rename(new)
    if os.path.lexists(earlier):
        earlier.rename(target)
