"""Texts that the languages of the page do not interpret."""

import string

_REFERENCES = {ord(character): f"&#{ord(character)};" for character in string.punctuation}


def literal(text: str) -> str:
    """Return a text as HTML in which numeric character references replace all punctuation.

    HTML, Markdown, and the templates of Handlebars and JavaScript, which Gradio evaluates one after
    the other, then show the text as it is.

    >>> literal("${a}")
    '&#36;&#123;a&#125;'
    """
    return text.translate(_REFERENCES)
