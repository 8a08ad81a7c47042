"""The shape of the package, read from its sources."""

import ast
import configparser
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tfdream"

# Units that may import those of the lines above, and none of their own line or below.
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
    ["training", "synthesis"],
    ["evaluation", "figures"],
    ["reports", "export"],
    ["commands"],
    ["cli"],
    ["__main__"],
]
RANK = {unit: rank for rank, units in enumerate(ORDER) for unit in units}
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
each_module = pytest.mark.parametrize("module", SOURCES)


def unit(module):
    """The file or folder right below tfdream that a module belongs to."""
    return module.split(".")[1] if "." in module else "__init__"


def imports(module):
    """The package's own modules that a module imports, at once or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(SOURCES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import in line {node.lineno}"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in SOURCES else node.module for name in names}
    return {name for name in found if name.split(".")[0] == "tfdream"}


@each_module
def test_a_module_has_its_place_in_the_order(module):
    assert unit(module) in RANK, f"give '{unit(module)}' a line in ORDER"


@each_module
def test_imports_go_one_way(module):
    own = unit(module)
    for imported in imports(module):
        other = unit(imported)
        if other == own:
            continue
        assert RANK[other] < RANK[own], f"{module} imports {imported}"


def test_no_module_imports_itself_in_a_circle():
    graph = {module: imports(module) - {module} for module in SOURCES}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_the_reader_of_imports_sees_them():
    """Else the tests above would hold of anything."""
    assert "tfdream.errors" in imports("tfdream.config.loading")
    assert "tfdream.audio" in imports(
        "tfdream.datasets.sources.folders"
    )  # from tfdream import audio
    assert "tfdream.config" in imports("tfdream.commands.data")  # inside a function


@pytest.mark.parametrize("module", ["tfdream", "tfdream.cli"])
def test_the_command_line_answers_before_heavy_libraries_are_loaded(module):
    script = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout.split()
    heavy = {"tensorflow", "keras", "numpy", "scipy", "sklearn", "matplotlib", "pydantic"}
    assert not heavy & set(loaded)


def setup_cfg():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_every_package_and_config_is_installed():
    options = setup_cfg()
    assert options["options"]["packages"] == "find:"
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in folders)
    patterns = options["options.package_data"]["tfdream"].replace(",", " ").split()
    installed = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    data = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".py"}
    assert installed == {path for path in data if path.suffix != ".pyc"}


@each_module
def test_a_module_fits_on_a_few_screens(module):
    lines = SOURCES[module].read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400, f"{module} has {len(lines)} lines: a noun is missing"


@each_module
def test_no_module_catches_everything(module):
    for node in ast.walk(ast.parse(SOURCES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            assert caught not in ("everything", "Exception", "BaseException"), (
                f"{module}: except {caught} in line {node.lineno}"
            )


# What runs code that a file holds; and `yaml.load`, which does so with some loaders.
RUNS_CODE = {"eval", "exec", "__import__", "load_model", "Lambda", "system", "unsafe_load"}
READERS = {"yaml.load": "tfdream.io.documents", "tf.saved_model.load": "tfdream.export"}


@each_module
def test_no_module_runs_what_it_reads(module):
    tree = ast.parse(SOURCES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            assert not imported & {"pickle", "dill", "marshal", "shelve", "joblib"}
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert called.split(".")[-1] not in RUNS_CODE, f"{module}: {called} in line {node.lineno}"
        assert READERS.get(called, module) == module, f"{module}: {called} in line {node.lineno}"
        pickles = [each.value for each in node.keywords if each.arg == "allow_pickle"]
        assert all(ast.unparse(value) == "False" for value in pickles)
        if called in ("np.load", "numpy.load"):
            assert pickles, f"{module}: np.load without allow_pickle=False in line {node.lineno}"
