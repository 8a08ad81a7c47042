"""The structure of the package, read from its source files."""

import ast
import configparser
import functools
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tfdream"

# Each unit may import those of the lines above, and none of its own line or below.
ORDER = [
    ["__init__"],
    ["errors"],
    ["io"],
    ["config"],
    ["audio"],
    ["signal"],
    ["corpus", "models"],
    ["datasets"],
    ["runs"],
    ["presets"],
    ["training", "synthesis"],
    ["evaluation", "figures"],
    ["reports", "export"],
    ["studio"],
    ["commands"],
    ["cli"],
    ["__main__"],
]
MOST_LINES = 400
MOST_PERSONIFICATIONS = 60
RANK = {unit: rank for rank, units in enumerate(ORDER) for unit in units}
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def unit(module):
    """Return the file or folder directly below tfdream that a module belongs to."""
    return module.split(".")[1] if "." in module else "__init__"


@functools.cache  # parsed by the process that runs these tests, not by every one that collects them
def tree_of(module):
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


def imports(module):
    """Return the modules of this package that a module imports, also inside functions."""
    names = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import in line {node.lineno}"
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in SOURCES else node.module for name in members}
    return {name for name in names if name.split(".")[0] == "tfdream"}


def test_every_module_has_a_rank():
    missing = {unit(module) for module in SOURCES} - set(RANK)
    assert not missing, f"add {missing} to ORDER"


def test_imports_go_one_way():
    violations = [
        f"{module} imports {imported}"
        for module in SOURCES
        for imported in imports(module)
        if unit(imported) != unit(module) and RANK[unit(imported)] >= RANK[unit(module)]
    ]
    assert not violations


def test_no_import_cycles():
    graph = {module: imports(module) - {module} for module in SOURCES}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_the_import_reader_works():
    assert "tfdream.errors" in imports("tfdream.config.loading")
    assert "tfdream.audio" in imports("tfdream.evaluation.prediction")  # from tfdream import x
    assert "tfdream.config" in imports("tfdream.commands.data")  # inside a function


def modules_loaded_by(*stages):
    """Return the names of all modules after each of some statements in a new process."""
    script = "import sys" + "".join(f"; {stage}; print(*sys.modules)" for stage in stages)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_heavy_libraries_are_imported_where_they_are_needed(tmp_path):
    """One process for all stages: modules that an early one may not import are not there later."""
    for name in "ab":
        soundfile.write(tmp_path / f"{name}.wav", np.sin(np.arange(8000)), 8000)
    files = [str(tmp_path / f"{name}.wav") for name in "ab"]
    command_line, settings, presets, features, compare = modules_loaded_by(
        "import tfdream.cli",
        # Worker processes of `prepare` unpickle settings; they must start fast.
        "import pickle, tfdream.config, tfdream.datasets.preparation.cutting; "
        "pickle.loads(pickle.dumps(tfdream.config.PrepareConfig()))",
        "from tfdream import presets; from tfdream.datasets import manifest; "
        "presets.list_presets()",
        "import numpy; from tfdream.signal.features import clip_features; "
        "assert 'librosa' not in sys.modules; clip_features(numpy.ones(9), 8000)",
        "from click.testing import CliRunner; "
        f"result = CliRunner().invoke(tfdream.cli.main, ['compare', *{files}]); "
        "assert result.exit_code == 0",
    )
    networks = {"tensorflow", "keras"}
    assert not command_line & {*networks, "numpy", "scipy", "sklearn", "matplotlib", "pydantic"}
    assert not settings & {*networks, "tfdream.signal"}
    assert not presets & {*networks, "librosa"}
    assert not features & networks
    assert "librosa" in features
    assert not compare & {*networks, "sklearn", "matplotlib"}


@pytest.mark.slow
def test_commands_import_keras_without_its_optional_packages():
    (loaded,) = modules_loaded_by(
        "from tfdream.io.imports import shorten_imports; shorten_imports(); "
        "import tensorflow, keras; "  # TensorFlow searches for Keras before it imports it
        "assert not {'sklearn', 'matplotlib'} & set(sys.modules); "
        "import matplotlib.pyplot, sklearn; keras.Input((1,))"
    )
    assert {"sklearn", "matplotlib.pyplot"} <= loaded


def test_every_package_and_data_file_is_installed():
    options = configparser.ConfigParser()
    options.read(ROOT / "setup.cfg", encoding="utf-8")
    assert options["options"]["packages"] == "find:"
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in folders)
    patterns = options["options.package_data"]["tfdream"].replace(",", " ").split()
    installed = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".py"}
    assert installed == {path for path in files if path.parent.name != "__pycache__"}


def test_modules_are_short():
    lengths = {
        module: len(path.read_text(encoding="utf-8").splitlines())
        for module, path in SOURCES.items()
    }
    long = {module: lines for module, lines in lengths.items() if lines > MOST_LINES}
    assert not long, "split these modules by concept"


def test_broad_handlers_raise_again():
    broad = [
        f"{module}: line {node.lineno}"
        for module, tree in zip(SOURCES, map(tree_of, SOURCES), strict=True)
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and not any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
    ]
    assert not broad


# Calls that run code from a file; `yaml.load` does so with some loaders.
RUNS_CODE = {"eval", "exec", "__import__", "load_model", "Lambda", "system", "unsafe_load"}
READERS = {"yaml.load": "tfdream.io.documents", "tf.saved_model.load": "tfdream.export.saved_model"}
UNSAFE_MODULES = {"pickle", "dill", "marshal", "shelve", "joblib"}


def test_no_module_runs_code_from_files():
    for module, tree in zip(SOURCES, map(tree_of, SOURCES), strict=True):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                imported = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                assert not imported & UNSAFE_MODULES, module
            elif isinstance(node, ast.Call):
                check_call(module, node)


def check_call(module, node):
    called, place = ast.unparse(node.func), f"{module}: line {node.lineno}"
    assert called.split(".")[-1] not in RUNS_CODE, place
    assert READERS.get(called, module) == module, place
    pickles = [each.value for each in node.keywords if each.arg == "allow_pickle"]
    assert all(ast.unparse(value) == "False" for value in pickles), place
    if called in ("np.load", "numpy.load"):
        assert pickles, f"{place}: np.load without allow_pickle=False"


PERSONIFYING = re.compile(
    r"\b(hears?|heard|hearing|heed(s|ed)?|tells?|told|telling|wants?|wanted|knows?|voices?|says?"
    r"|said|saying|climb(s|ing)?|mend(s|ed)?|fares?)\b",
    re.IGNORECASE,
)


def test_prose_avoids_personification():
    """A network has activations and outputs; it does not hear, say or know."""
    places = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.yaml")]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if PERSONIFYING.search(line)
    ]
    assert len(places) < MOST_PERSONIFICATIONS, "\n".join(places)
