"""Sources: the excerpt, component or loop of a file that is processed, with its curves."""

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdream import audio
from tfdream.config import RenderConfig
from tfdream.errors import AudioError, ConfigError
from tfdream.synthesis.rendering.mixdown import NO_MIXDOWN, Mixdown
from tfdream.synthesis.rendering.options import RenderOptions
from tfdream.synthesis.rendering.tiles import TileGrid, Tiles, changed_blocks
from tfdream.synthesis.rendering.timelines import NO_TIMELINES, Timelines

COMPONENTS = ("harmonic", "percussive", "mid", "side")
"""Components that are separated here; others are stems."""
_CHANNEL_GAINS = {"mid": (1.0, 1.0), "side": (1.0, -1.0)}
_TILE_SECONDS, _OVERLAP_SECONDS = 20.0, 1.0
"""Tiles of the separation; the median filters extend over 0.2 s."""
_LEAST_TILE_SAMPLES = 2048
"""Length of the window of the separation."""
_LEAST_FADE_SECONDS = 0.02
_CONTEXT_SECONDS = 0.1
"""Context of filters and of resampling after the crossfade of a loop."""


@dataclass(frozen=True)
class Source:
    """The excerpt, component or loop of a file that is processed, with its curves.

    Attributes:
      path: the recording, or a temporary file that contains the component; of a loop, followed by
        its start.
      start_seconds: start of the range of `path` that is processed.
      seconds: length of that range; None extends it to the end.
      timelines: curves of the recipe.
      mixdown: makes the output from the changed component.
      original: the recording, or an excerpt of it, that the output replaces; None for the range of
        `path`.
      reference: the component without the repeated start of a loop; None for the range of `path`.
      named: the recording that the caller gave, for messages; None for `path`.
      damage: of that recording, if `original` was cut from it.
      stem_damage: of the given file of a component.
    """

    path: Path
    start_seconds: float = 0.0
    seconds: float | None = None
    timelines: Timelines = NO_TIMELINES
    mixdown: Mixdown = NO_MIXDOWN
    original: Path | None = None
    reference: Path | None = None
    named: Path | None = None
    damage: audio.Damage | None = None
    stem_damage: audio.Damage | None = None


@contextmanager
def prepared(source: str | Path, options: RenderOptions, config: RenderConfig) -> Iterator[Source]:
    """Yield the source for the options of a file; temporary files are removed afterwards.

    Args:
      source: any audio file.
      options: range, component, stems and loop.
      config: the recipe.

    Raises:
      AudioError: if a file cannot be read, or a stem or the channels do not fit.
      ConfigError: if the component is neither one of `COMPONENTS` nor a stem.
    """
    source = Path(source)
    _check_component(options)
    timelines = Timelines.of(config, source, options)
    start, seconds = options.start_seconds, options.seconds
    if options.part is None and not options.loop:
        yield Source(source, start, seconds, timelines)
        return
    with (
        tempfile.TemporaryDirectory(prefix="tfdream-") as folder,
        audio.part_of(source, start, seconds) as original,
    ):
        path, mixdown, stem_damage = original.path, NO_MIXDOWN, None
        if options.part is not None and options.part in options.stems:
            given = options.stems[options.part]
            with audio.part_of(given, start, seconds) as stem:
                copy, stem_damage = _copied(stem, Path(folder))
                path, mixdown = _split(original.path, copy, given)
        elif options.part is not None:
            path, mixdown = _separate(original.path, options.part, Path(folder), source)
        reference = path
        if options.loop:
            path, mixdown = _looped(path, mixdown, config, Path(folder))
        yield Source(
            path,
            timelines=timelines,
            mixdown=mixdown,
            original=original.path,
            reference=reference,
            named=source,
            damage=original.damage,
            stem_damage=stem_damage,
        )


def _check_component(options: RenderOptions) -> None:
    if options.part is not None and options.part not in (*options.stems, *COMPONENTS):
        available = ", ".join((*COMPONENTS, *options.stems))
        raise ConfigError(f"part='{options.part}' is none of {available}; give its file as a stem")
    if options.stems and options.part not in options.stems:
        raise ConfigError(
            f"stems are given, but part={options.part} is none of them; use one of "
            f"{', '.join(options.stems)}"
        )


def _copied(part: audio.Part, folder: Path) -> tuple[Path, audio.Damage | None]:
    """Copy a part of a file as floats, so that it outlives its source; also return the damage."""
    copy = folder / "stem.wav"
    with audio.Reader(part.path) as reader:
        audio.write_floats(copy, reader.blocks(), reader.info.sample_rate, reader.info.channels)
        return copy, part.damage or reader.damage


def _separate(original: Path, component: str, folder: Path, source: Path) -> tuple[Path, Mixdown]:
    """Write a component of a file, and the rest of it; messages name `source`."""
    info = audio.info(original)
    path = folder / "component.wav"
    if component not in _CHANNEL_GAINS:
        grid = TileGrid(
            round(_TILE_SECONDS * info.sample_rate), round(_OVERLAP_SECONDS * info.sample_rate)
        )
        # The separation of padding takes as long as that of sound.
        grid = grid.limited(max(audio.count_samples(original), _LEAST_TILE_SAMPLES))
        with audio.Reader(original) as reader:
            blocks = changed_blocks(reader, info.sample_rate, grid, _hpss(component))
            # Unlimited: peaks may be above full scale, and their rest would be in the other part.
            audio.write_floats(path, blocks, info.sample_rate, info.channels)
        return _split(original, path, path)
    if info.channels != 2:
        raise AudioError(
            f"--part {component} needs 2 channels, '{source}' has {info.channels}; use harmonic or "
            "percussive"
        )
    gains = _CHANNEL_GAINS[component]
    with audio.Reader(original) as reader:
        blocks = ((block * np.array(gains, np.float32)).mean(axis=1, keepdims=True) for block in
                  reader.blocks())  # fmt: skip
        audio.write_floats(path, blocks, info.sample_rate, 1)
    return _split(original, path, path, gains)


def _hpss(component: str) -> Any:
    """Return the function that separates tiles.

    Source: Fitzgerald, "Harmonic/percussive separation using median filtering", as implemented in
    librosa.
    """
    from librosa.effects import hpss

    def separate(tiles: Tiles) -> NDArray[Any]:
        components = hpss(np.swapaxes(tiles.channels, 1, 2))
        chosen: NDArray[Any] = np.swapaxes(components[COMPONENTS.index(component)], 1, 2)
        return chosen

    return separate


def _split(
    original: Path, component: Path, stem: str | Path, gains: tuple[float, ...] | None = None
) -> tuple[Path, Mixdown]:
    """Write the rest of a file without a component; return the component and how both are mixed.

    Args:
      original: the file.
      component: the file of the component.
      stem: name of the component in messages.
      gains: factor of the component in each channel of the file; None if it has the same channels.

    Raises:
      AudioError: if the component has another sample rate, number of channels, or length.
    """
    rest = component.with_name("rest.wav")
    with audio.Reader(original) as whole, audio.Reader(component) as reader:
        expected, found = whole.info, reader.info
        channels = expected.channels if gains is None else 1
        if (found.sample_rate, found.channels) != (expected.sample_rate, channels):
            raise AudioError(
                f"the stem '{stem}' has {found.sample_rate} Hz and {_channels(found.channels)}, "
                f"the recording {expected.sample_rate} Hz and {_channels(expected.channels)}; "
                "convert it"
            )
        lengths = [audio.Counted(each.blocks()) for each in (whole, reader)]
        pairs = itertools.zip_longest(
            *(audio.rechunk(each, audio.BLOCK_SAMPLES) for each in lengths)
        )
        audio.write_floats(
            rest, _differences(pairs, gains), expected.sample_rate, expected.channels
        )
    if lengths[0].samples != lengths[1].samples:
        raise AudioError(
            f"the stem '{stem}' has {lengths[1].samples} samples, the recording "
            f"{lengths[0].samples}; export it with the same length"
        )
    return component, Mixdown(rest, gains)


def _channels(count: int) -> str:
    return f"{count} channel{'s' if count > 1 else ''}"


def _differences(
    pairs: Iterable[tuple[NDArray[Any] | None, ...]],
    gains: tuple[float, ...] | None,
) -> Iterator[NDArray[Any]]:
    for whole, component in pairs:
        if whole is None or component is None or len(whole) != len(component):
            if whole is not None:
                yield whole  # the lengths are compared afterwards
            continue
        yield whole - (component if gains is None else component * np.array(gains, np.float32))


def _looped(
    path: Path, mixdown: Mixdown, config: RenderConfig, folder: Path
) -> tuple[Path, Mixdown]:
    """Append the start of a component, and of its rest, to their ends."""
    rate, samples = audio.info(path).sample_rate, audio.count_samples(path)
    reach = audio.filter_reach(rate, config.filter)
    replaced = min(samples // 2, reach)
    fade_seconds = max(config.tiles.overlap_seconds, _LEAST_FADE_SECONDS)
    fade = min(samples - replaced, round(fade_seconds * rate))
    context = reach + round(_CONTEXT_SECONDS * rate)
    length = samples + replaced + fade + context
    longer = _repeated(path, folder / "component-loop.wav", length)
    rest = mixdown.rest and _repeated(mixdown.rest, folder / "rest-loop.wav", length)
    looped = replace(
        mixdown,
        rest=rest,
        loop_samples=samples,
        replaced_samples=replaced,
        fade_samples=fade,
    )
    return longer, looped


def _repeated(path: Path, output: Path, samples: int) -> Path:
    """Write a file again and again, up to a length."""

    def blocks() -> Iterator[NDArray[Any]]:
        while True:
            with audio.Reader(path) as reader:
                yield from reader.blocks()

    info = audio.info(path)
    audio.write_floats(output, audio.head(blocks(), samples), info.sample_rate, info.channels)
    return output
