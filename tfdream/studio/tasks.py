"""What can be done on the page, and the choices that a user made for it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tfdream import config
from tfdream.config import Config
from tfdream.errors import ConfigError, ModelError
from tfdream.io import documents
from tfdream.runs.info import CONFIG_FILE
from tfdream.runs.named import locate, named_runs

AudioFormat = Literal["flac", "wav", "ogg"]
FORMATS: tuple[AudioFormat, ...] = ("flac", "wav", "ogg")
_DEFAULT_RUN_TASK = "classify"


@dataclass(frozen=True)
class Task:
    """A command that the page offers.

    Attributes:
      name: name of the command.
      purpose: what it does, in a few words.
      first: name of the first recording; its command requires it, unless the task is `generate`.
      second: name of the second recording; empty if there is none.
      needs_second: whether the second recording is required.
      recipe: default recipe; empty if the task has no settings.
      run_tasks: tasks of the runs that it accepts, as in their configuration.
      needs_run: whether a run is required.
      default_run: preset that is used without a choice.
      strength: settings of the strength; the first one that a recipe has.
    """

    name: str
    purpose: str
    first: str
    second: str = ""
    needs_second: bool = False
    recipe: str = ""
    run_tasks: tuple[str, ...] = ()
    needs_run: bool = False
    default_run: str | None = None
    strength: tuple[str, ...] = ()

    @property
    def has_recipe(self) -> bool:
        """Whether the task has settings."""
        return bool(self.recipe)

    @property
    def writes_audio(self) -> bool:
        """Whether the task writes an audio file."""
        return self.has_recipe

    def recipes(self) -> list[str]:
        """Return the packaged recipes of this task, the default one first."""
        if not self.recipe:
            return []
        folder = Path(self.recipe).parent.as_posix()
        names = [name for name in config.names() if Path(name).parent.as_posix() == folder]
        return sorted(names, key=lambda name: name != self.recipe)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            "dream",
            "strengthen what activates a network",
            "recording",
            "guide, for guided objectives",
            recipe="dream/recommended",
            run_tasks=("classify",),
            needs_run=True,
            default_run="genres",
            strength=("mix",),
        ),
        Task(
            "transfer",
            "give a recording the style of another",
            "content",
            "style",
            needs_second=True,
            recipe="transfer/timbre",
            run_tasks=("transfer", "classify"),
            strength=("style_strength", "mix"),
        ),
        Task(
            "translate",
            "translate to another genre",
            "recording",
            recipe="translate/recommended",
            run_tasks=("translate",),
            needs_run=True,
            strength=("mix",),
        ),
        Task(
            "generate",
            "generate music, or continue a recording",
            "prompt, optional",
            recipe="generate/recommended",
            run_tasks=("generate",),
            needs_run=True,
            strength=("temperature",),
        ),
        Task(
            "predict",
            "classify recordings",
            "recording",
            "second recording, optional",
            run_tasks=("classify",),
            needs_run=True,
            default_run="genres",
        ),
        Task(
            "compare",
            "measure how a result differs from its original",
            "original",
            "result",
            needs_second=True,
            run_tasks=("classify",),
        ),
    )
}


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
      unknown_below: smallest probability of an answer of `predict`.
      audio_format: extension of the output.
      part: the part of the recording that is processed, as for --part; None is all.
      loop: the end of the output continues into its beginning.
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

    @property
    def settings(self) -> Config | None:
        """The resolved recipe; None if the task has none.

        Raises:
          ConfigError: if the recipe does not exist or a setting is invalid.
        """
        return load(self.task, self.recipe, self.overrides) if self.recipe else None

    @property
    def output_name(self) -> str:
        """Name of the output file: that of the recording and the task."""
        stem = Path(self.first).stem if self.first else Path(self.run or "music").name
        return f"{stem}-{self.task}.{self.audio_format}"

    def check(self) -> None:
        """Check that everything that the task requires is chosen.

        Raises:
          ConfigError, ModelError: naming what is missing, or the invalid setting.
        """
        task = TASKS[self.task]
        if self.first is None and self.task != "generate":
            raise ConfigError(f"{self.task} needs a {task.first}; load one")
        if self.second is None and task.needs_second:
            raise ConfigError(f"{self.task} needs a {task.second}; load one")
        if self.run is None and task.needs_run:
            raise ModelError(
                f"{self.task} needs a network; train or install one and start again with "
                "tfdream studio --model RUN"
            )
        self.settings  # noqa: B018

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
        return cls(**{**content, "overrides": tuple(content["overrides"])})


def load(task: str, recipe: str, overrides: Iterable[str] = ()) -> Config:
    """Return the validated settings of a recipe; see `config.load`.

    Raises:
      ConfigError: if the recipe does not exist or a setting is invalid.
    """
    if task == "transfer":
        return config.load_transfer(recipe, overrides)
    schemas: dict[str, type[Config]] = {
        "dream": config.DreamConfig,
        "translate": config.TranslateConfig,
        "generate": config.GenerateConfig,
    }
    return config.load(recipe, schemas[task], overrides)


def recipes_by_task(paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the tasks of recipes that are files, by the schema that accepts them.

    Raises:
      ConfigError: if a file is not a recipe of any task.
    """
    found: dict[str, tuple[str, ...]] = {}
    for path in paths:
        fitting = [task for task in TASKS if TASKS[task].has_recipe and _fits(task, path)]
        if not fitting:
            load("dream", path)  # raises for a missing file
            raise ConfigError(f"config '{path}' is not a recipe of {', '.join(TASKS)}")
        for task in fitting:
            found[task] = (*found.get(task, ()), path)
    return found


def _fits(task: str, path: str) -> bool:
    try:
        load(task, path)
    except ConfigError:
        return False
    return True


def runs_for(task: Task, further: Iterable[str | Path] = ()) -> list[str]:
    """Return the runs that a task accepts: the default preset first, then the others by name.

    Args:
      task: the task.
      further: run folders beside the installed presets.

    Raises:
      ModelError: if one of `further` is not a run folder.
    """
    names = [str(each) for each in further] + list(named_runs())
    fitting = [name for name in names if run_task(name) in task.run_tasks]
    return sorted(fitting, key=lambda name: name != task.default_run)


def run_task(run: str | Path) -> str:
    """Return the task of a run, as in its configuration, without opening the networks.

    Raises:
      ModelError: if it is not a run folder.
    """
    path = locate(run) / CONFIG_FILE
    try:
        content = documents.read_yaml(path)
    except (OSError, ValueError):
        raise ModelError(
            f"'{run}' is not a run folder (no readable {CONFIG_FILE}); give a folder that tfdream "
            "train wrote, or the name of a preset"
        ) from None
    task = content.get("task", _DEFAULT_RUN_TASK) if isinstance(content, dict) else None
    return str(task)
