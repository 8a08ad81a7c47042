"""Griffe extension: fence the `>>>` examples of docstrings, which Markdown reads as quotations."""

import re

import griffe

_EXAMPLE = re.compile(r"(?m)^([ ]*)>>> .*\n?(?:^(?=\1[ ]*\S).*\n?)*")


class DoctestFences(griffe.Extension):
    """Wrap each block of examples, up to the next blank line, in a fence."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Change the docstring before it is parsed."""
        if obj.docstring is not None:
            obj.docstring.value = _EXAMPLE.sub(_fence, obj.docstring.value)


def _fence(match: re.Match[str]) -> str:
    indent = match.group(1)
    return f"\n{indent}```pycon\n{match.group(0).rstrip()}\n{indent}```\n"
