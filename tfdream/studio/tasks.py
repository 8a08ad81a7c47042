"""Tasks that the page offers, and the recipes and networks that fit them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tfdream import config
from tfdream.config import Config
from tfdream.errors import ConfigError, ModelError
from tfdream.io import documents
from tfdream.runs.info import CONFIG_FILE
from tfdream.runs.named import locate, named_runs

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
      value_name: name of the value of each step; empty if the steps have none.
      value_sign: factor of the reported value.
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
    value_name: str = ""
    value_sign: int = 1

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
            value_name="objective",
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
            value_name="loss",
            value_sign=-1,
        ),
        Task(
            "translate",
            "translate to another genre",
            "recording",
            recipe="translate/recommended",
            run_tasks=("translate",),
            needs_run=True,
            strength=("strength", "mix"),
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
    """Return files of recipes by task: each belongs to those whose schema accepts it.

    Raises:
      ConfigError: if a file does not exist, or is not a recipe of any task.
    """
    found: dict[str, tuple[str, ...]] = {}
    for path in dict.fromkeys(paths):
        if not Path(path).is_file():
            raise ConfigError(
                f"recipe '{path}' is not a file; name a YAML file (packaged recipes are always "
                "offered)"
            )
        for task in _tasks_of(path):
            found[task] = (*found.get(task, ()), path)
    return found


def _tasks_of(path: str) -> list[str]:
    """Return the tasks whose schema accepts a file; see `recipes_by_task`."""
    fitting: list[str] = []
    errors: dict[str, ConfigError] = {}
    for name in (name for name, task in TASKS.items() if task.has_recipe):
        try:
            load(name, path)
        except ConfigError as error:
            errors[name] = error
        else:
            fitting.append(name)
    if fitting:
        return fitting
    nearest = min(errors, key=lambda name: errors[name].problems)
    if len(set(map(str, errors.values()))) == 1:  # it cannot be read
        raise errors[nearest]
    raise ConfigError(
        f"'{path}' is not a recipe of any of: {', '.join(errors)}; of {nearest}, because of "
        f"{errors[nearest]}"
    )


def runs_for(task: Task, further: Iterable[str | Path] = ()) -> list[str]:
    """Return the runs that a task accepts: the default preset first, then the others by name.

    Args:
      task: the task.
      further: run folders beside the installed presets.

    Raises:
      ModelError: if one of `further` is not a run folder.
    """
    names = dict.fromkeys([*map(str, further), *named_runs()])
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


def accepts(task: Task, run: str) -> bool:
    """Return whether a run exists and a task accepts it."""
    try:
        return run_task(run) in task.run_tasks
    except ModelError:
        return False
