"""The choices that a user made for one output."""

import os
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tfdream.config import Config
from tfdream.errors import ConfigError, ModelError
from tfdream.studio.tasks import TASKS, accepts, load
from tfdream.synthesis.rendering.names import Names

AudioFormat = Literal["flac", "wav", "ogg"]
FORMATS: tuple[AudioFormat, ...] = typing.get_args(AudioFormat)
EXTENSIONS = {"video": ".mp4", "figure": ".png", "report": ".html"}
"""Presentations of a result beside the audio file, and the extensions of their files."""
_MAX_NAME_BYTES = 200
"""Longest name of an output; file systems accept 255 bytes, with numbers and further extensions."""

_CHANGES = ("dream", "transfer", "translate")
_RECIPES = (*_CHANGES, "generate")
TASKS_OF = {
    "first": (*_RECIPES, "predict", "compare"),
    "second": ("dream", "transfer", "predict", "compare"),
    "recipe": _RECIPES,
    "overrides": _RECIPES,
    "run": (*_RECIPES, "predict", "compare"),
    "to": ("translate",),
    "start_seconds": ("dream",),
    "seconds": ("dream", "generate"),
    "bits": _RECIPES,
    "keep_falling": ("dream", "transfer"),
    "unknown_below": ("predict",),
    "audio_format": _RECIPES,
    "part": _CHANGES,
    "stems": _CHANGES,
    "loop": _CHANGES,
    "save_every": ("dream",),
    "presentations": (*_RECIPES, "compare"),
    "judge": _RECIPES,
    "style": ("compare",),
    "name": _RECIPES,
}
"""Tasks that have a choice, by the name of the attribute of a job."""


@dataclass(frozen=True)
class Job:
    """The choices for one output.

    Attributes:
      task: name of the task.
      first: first recording.
      second: second recording: style, guide, or the result to compare.
      recipe: name or path of the recipe; empty if the task has none.
      overrides: changed settings, ``key=value`` as for --set.
      run: a run folder or the name of a preset.
      to: target genre of a translation; None is the second one of the run.
      start_seconds: start of the part that a dream processes.
      seconds: length of that part, or of generated audio; None is all, or 30 s.
      bits: bits per sample; None is the default of the format.
      keep_falling: also write passages whose objective is worse than before.
      unknown_below: smallest probability of a label that `predict` gives.
      audio_format: extension of the output.
      part: the part of the recording that is processed, as for --part; None is all.
      loop: the end of the output continues into its beginning.
      stems: pairs of name and file: parts that another program separated.
      save_every: also write the intermediate result after every this many steps; None writes none.
      presentations: keys of `EXTENSIONS`: what is made beside the audio file.
      judge: run of a classifier whose probabilities join the measures of the report page.
      style: recording with the target style, for the measures of a comparison.
      name: pattern of the output's name, as for --name; empty is recording and task.
    """

    task: str
    first: str | None = None
    second: str | None = None
    recipe: str = ""
    overrides: tuple[str, ...] = ()
    run: str | None = None
    to: str | None = None
    start_seconds: float = 0.0
    seconds: float | None = None
    bits: int | None = None
    keep_falling: bool = False
    unknown_below: float | None = None
    audio_format: AudioFormat = "flac"
    part: str | None = None
    loop: bool = False
    stems: tuple[tuple[str, str], ...] = ()
    save_every: int | None = None
    presentations: tuple[str, ...] = ()
    judge: str | None = None
    style: str | None = None
    name: str = ""

    @classmethod
    def of(cls, task: str, choices: Mapping[str, Any]) -> "Job":
        """Return a job with those choices that the task has and that are not empty.

        Args:
          task: name of the task.
          choices: values by attribute; None, 0, False and empty ones stand for the default.

        >>> Job.of("predict", {"first": "a.wav", "loop": True}) == Job("predict", "a.wav")
        True
        """
        given = {name: value for name, value in choices.items() if task in TASKS_OF[name] and value}
        return cls._of_values({"task": task, **given})

    @cached_property
    def settings(self) -> Config | None:
        """The resolved recipe, read once; None if the task has none.

        Raises:
          ConfigError: if the recipe does not exist or a setting is invalid.
        """
        return load(self.task, self.recipe, self.overrides) if self.recipe else None

    @property
    def output_name(self) -> str:
        """Name of the output file: by default, that of the recording and the task."""
        return f"{self._stem}.{self.audio_format}"

    @property
    def _stem(self) -> str:
        source = Path(self.first or self.run or "music")
        stem = source.stem if self.first else source.name
        if not self.name:
            return f"{stem}-{self.task}"
        fields = {
            "command": self.task,
            "config": Path(self.recipe).stem,
            "model": Path(self.run or "").name,
            "seed": "" if self.seed is None else str(self.seed),
        }
        return Names(self.name, fields).stem(Path(f"{stem}.{self.audio_format}"))

    @property
    def made(self) -> tuple[str, ...]:
        """The presentations that are made; the probabilities of a judge are on the report page."""
        chosen = {*self.presentations, *(("report",) if self.judge else ())}
        return tuple(each for each in presentations_of(self.task) if each in chosen)

    def check(self) -> None:
        """Check that everything that the task requires is chosen, and that the choices fit.

        Raises:
          ConfigError, ModelError: naming what is missing, or the invalid setting.
        """
        task = TASKS[self.task]
        if self.first is None and self.task != "generate":
            raise ConfigError(f"{self.task} needs {_with_article(task.first)}; load one")
        if self.second is None and task.needs_second:
            raise ConfigError(f"{self.task} needs {_with_article(task.second)}; load one")
        if self.run is None and task.needs_run:
            raise ModelError(
                f"{self.task} needs a network; train or install one and start again with "
                "tfdream studio --model RUN"
            )
        names = [name for name, _ in self.stems]
        if self.stems and self.part not in names:
            raise ConfigError(
                f"stems are loaded, but the part is not one of them; choose {' or '.join(names)} "
                "under 'part', or remove the stems"
            )
        _ = self.settings
        size = len(os.fsencode(self.output_name))
        if size > _MAX_NAME_BYTES:
            raise ConfigError(
                f"the name '{self.output_name}' has {size} bytes, more than {_MAX_NAME_BYTES}; "
                "shorten the name of the file or of the recording"
            )

    def available(self) -> tuple["Job", tuple[str, ...]]:
        """Return the job without runs and a recipe that cannot be read anymore, and their names."""
        chosen: dict[str, Any] = {}
        if self.run and not accepts(TASKS[self.task], self.run):
            chosen["run"] = None
        if self.judge and not accepts(TASKS["predict"], self.judge):
            chosen["judge"] = None
        try:
            _ = self.settings
        except ConfigError:
            chosen |= {"recipe": "", "overrides": ()}
        kinds = {"run": "network", "judge": "judge", "recipe": "recipe"}
        names = tuple(
            f"{kind} '{getattr(self, name)}'" for name, kind in kinds.items() if name in chosen
        )
        return replace(self, **chosen), names

    def with_seed(self, seed: int) -> "Job":
        """Return the same job with another random seed."""
        others = (each for each in self.overrides if not each.startswith("seed="))
        return replace(self, overrides=(*others, f"seed={seed}"))

    @property
    def seed(self) -> int | None:
        """The random seed; None if the recipe is deterministic."""
        seed = getattr(self.settings, "seed", None)
        return seed if isinstance(seed, int) else None

    def as_json(self) -> dict[str, Any]:
        """Return the choices as values that JSON can represent."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Job":
        """Return the job that `as_json` represented."""
        return cls._of_values(content)

    @classmethod
    def _of_values(cls, content: Mapping[str, Any]) -> "Job":
        stems = tuple((str(name), str(path)) for name, path in content.get("stems", ()))
        lists = {name: tuple(content.get(name, ())) for name in ("overrides", "presentations")}
        return cls(**{**content, **lists, "stems": stems})


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def presentations_of(task: str) -> tuple[str, ...]:
    """Return the presentations that a task can make; a comparison has no output for a video.

    >>> presentations_of("compare")
    ('figure', 'report')
    """
    if task not in TASKS_OF["presentations"]:
        return ()
    return tuple(each for each in EXTENSIONS if each != "video" or TASKS[task].writes_audio)


def beside(output: str | Path, presentation: str) -> Path:
    """Return the file of a presentation, beside the output.

    >>> beside("out/song.flac", "video").as_posix()
    'out/song.mp4'
    """
    return Path(output).with_suffix(EXTENSIONS[presentation])
