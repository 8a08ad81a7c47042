"""Modules that need an optional package are left out where it is not installed."""

from importlib.util import find_spec

collect_ignore = []
if find_spec("gradio") is None:
    names = ("controls", "curve_section", "layout", "output_section", "page", "panel")
    collect_ignore += [f"tfdream/studio/{name}.py" for name in names]
