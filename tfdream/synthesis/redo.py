"""`redo`: make a file again from its tag, see `rendering.tags`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from tfdream import audio
from tfdream.config import (
    Config,
    DreamConfig,
    GenerateConfig,
    MusaicConfig,
    Positive,
    RhythmConfig,
    TimbreConfig,
    TransferConfig,
    TranslateConfig,
    validate,
)
from tfdream.config.base import NotNegative
from tfdream.errors import AudioError, ConfigError, did_you_mean
from tfdream.io.checksums import file_sha256
from tfdream.io.progress import ProgressFn, no_progress
from tfdream.runs import GenerationRun, Run, TranslationRun, versions
from tfdream.synthesis.dream import Dreamer
from tfdream.synthesis.generate import Generation
from tfdream.synthesis.rendering import sidecar, tags
from tfdream.synthesis.rendering.notes import log_notes
from tfdream.synthesis.rendering.options import OutputOptions, RenderOptions
from tfdream.synthesis.transfer import build_transfer
from tfdream.synthesis.translate import Translation


class _RunFolder(Config):
    folder: str


class _Tag(Config):
    """Base of the tags of all commands."""

    inputs: dict[str, str | None]
    versions: dict[str, str]
    bits: Literal[16, 24, 32] | None

    def process(self, output: Path, options: OutputOptions, progress: ProgressFn) -> dict[str, Any]:
        """Make the output again."""
        raise NotImplementedError


class _RenderTag(_Tag):
    """Base of the tags of commands that change a recording."""

    start_seconds: NotNegative
    seconds: Positive | None
    keep_falling: bool
    part: str | None
    stems: dict[str, str]
    loop: bool

    def options(self, options: OutputOptions) -> RenderOptions:
        """Return the options that the output was rendered with."""
        return RenderOptions(
            bits=self.bits,
            force=options.force,
            tag=options.tag,
            start_seconds=self.start_seconds,
            seconds=self.seconds,
            keep_falling=self.keep_falling,
            part=self.part,
            stems=self.stems,
            loop=self.loop,
        )


class DreamTag(_RenderTag):
    """The tag of a dream."""

    command: Literal["dream"]
    source: str
    guide: str | None
    run: _RunFolder
    config: DreamConfig

    def process(self, output: Path, options: OutputOptions, progress: ProgressFn) -> dict[str, Any]:
        dreamer = Dreamer(Run.open(self.run.folder), self.config, self.guide)
        return dreamer(self.source, output, self.options(options), progress)


class TransferTag(_RenderTag):
    """The tag of a transfer."""

    command: Literal["transfer"]
    content: str
    style: str
    run: _RunFolder | None
    config: Annotated[
        TransferConfig | TimbreConfig | RhythmConfig | MusaicConfig, Field(discriminator="method")
    ]

    def process(self, output: Path, options: OutputOptions, progress: ProgressFn) -> dict[str, Any]:
        uses_classifier = isinstance(self.config, TransferConfig)
        run = Run.open(self.run.folder) if self.run and uses_classifier else None
        transfer = build_transfer(self.style, self.config, run)
        return transfer(self.content, output, self.options(options), progress)


class TranslateTag(_RenderTag):
    """The tag of a translation."""

    command: Literal["translate"]
    source: str
    to: str
    run: _RunFolder
    config: TranslateConfig

    def process(self, output: Path, options: OutputOptions, progress: ProgressFn) -> dict[str, Any]:
        translation = Translation(TranslationRun.open(self.run.folder), self.config, self.to)
        return translation(self.source, output, self.options(options), progress)


class GenerateTag(_Tag):
    """The tag of generated audio."""

    command: Literal["generate"]
    prompt: str | None
    seconds: Positive
    run: _RunFolder
    config: GenerateConfig

    def process(self, output: Path, options: OutputOptions, progress: ProgressFn) -> dict[str, Any]:
        generation = Generation(GenerationRun.open(self.run.folder), self.config, self.seconds)
        return generation(self.prompt, output, replace(options, bits=self.bits), progress)


AnyTag: TypeAlias = DreamTag | TransferTag | TranslateTag | GenerateTag
_SCHEMAS: dict[str, type[AnyTag]] = {
    "dream": DreamTag,
    "transfer": TransferTag,
    "translate": TranslateTag,
    "generate": GenerateTag,
}


def redo(
    path: str | Path,
    output: str | Path | None = None,
    inputs: Mapping[str, str | Path] | None = None,
    force: bool = False,
    progress: ProgressFn = no_progress,
) -> dict[str, Any]:
    """Make an output of `dream`, `transfer`, `translate` or `generate` again from its tag.

    The tag is validated like a configuration. Its inputs are read where they were, relative to the
    current folder, and only if their SHA-256 is the one in the tag.

    Args:
      path: a file that one of these commands wrote.
      output: file of the same format; by default ``<name>-redo`` beside `path`.
      inputs: paths of inputs that are elsewhere now, by their name in the tag, such as ``source``.
      force: whether an existing output may be replaced.
      progress: receives finished and all steps.

    Returns:
      The JSON object of the command, and: redone, the path; identical, whether both files have the
      same bytes; different_versions, the packages whose versions differ, with both of them.

    Raises:
      AudioError: if the file has no tag, or an input is missing or has changed.
      ConfigError, ModelError: if the tag is not valid.
    """
    path = Path(path)
    output = path.with_name(f"{path.stem}-redo{path.suffix}") if output is None else Path(output)
    if output.suffix.lower() != path.suffix.lower():
        raise AudioError(
            f"output '{output}' has another format than '{path}'; use the extension {path.suffix}"
        )
    if output.resolve() == path.resolve():
        raise AudioError(f"output '{output}' would replace the file itself; name another output")
    text = audio.read_comment(path)
    content = tags.decode(text)
    if content is None:
        raise AudioError(
            f"'{path}' has no tag of tfdream; its comment may have been removed, or another "
            "program wrote it"
        )
    tag = _validated(path, content, inputs or {})
    sidecar.check_output(output, tag.bits, force)
    different = _different_versions(tag.versions)
    notes = [f"{name} {now} instead of {then}" for name, (then, now) in different.items()]
    if notes:
        log_notes(path, [f"made with other versions ({', '.join(notes)}), so samples may differ"])
    result = tag.process(output, OutputOptions(force=force, tag=text), progress)
    return {
        **result,
        "redone": str(path),
        "identical": file_sha256(path) == file_sha256(output),
        "different_versions": different,
    }


def _validated(path: Path, content: dict[str, Any], inputs: Mapping[str, str | Path]) -> AnyTag:
    """Validate the content of a tag, replace the paths of its inputs, and check their digests."""
    name = content["command"]
    if not isinstance(name, str) or name not in _SCHEMAS:
        raise ConfigError(
            f"the tag of '{path}' has command={name!r}; use the output of {', '.join(_SCHEMAS)}"
        )
    origin = f"the tag of '{path}'"
    config = content.get("config")
    if name == "transfer" and isinstance(config, dict):
        config.setdefault("method", "gradient")
    validate(content, _SCHEMAS[name], origin)
    paths = tags.input_paths(content)
    for place, given in inputs.items():
        if place not in paths:
            raise ConfigError(
                f"input '{place}' is not in the tag of '{path}'{did_you_mean(place, paths)}; its "
                f"inputs are {', '.join(paths) or 'none'}"
            )
        tags.replace_path(content, place, str(given))
    tag = validate(content, _SCHEMAS[name], origin)
    for place, current in tags.input_paths(content).items():
        _check_input(path, place, current, tag.inputs.get(place))
    return tag


def _check_input(path: Path, place: str, current: str, expected: str | None) -> None:
    remedy = f"give the unchanged one with --input {place}=PATH"
    if expected is None:
        raise AudioError(
            f"the {place} of '{path}' was not a file, but a pipe, and its content is not known"
        )
    if place not in tags.RUNS and not Path(current).is_file():
        raise AudioError(f"the {place} of '{path}', '{current}', does not exist; {remedy}")
    if tags.fingerprint(place, current) != expected:
        raise AudioError(
            f"the {place} of '{path}', '{current}', has changed or cannot be read; {remedy}"
        )


def _different_versions(then: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    now = versions()
    names = sorted({*then, *now})
    pairs = {name: (then.get(name, "none"), now.get(name, "none")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
