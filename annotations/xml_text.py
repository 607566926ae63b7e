"""Text in XML 1.0."""

import re
from xml.sax.saxutils import escape, quoteattr

# XML 1.0 has no way to write these: https://www.w3.org/TR/xml/#charsets
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def content(text: str) -> str:
    """Return text as the content of an element; what XML cannot hold becomes U+FFFD."""
    # A parser turns a bare carriage return into a line feed.
    return escape(_FORBIDDEN.sub("\ufffd", text), {"\r": "&#13;"})


def attribute(text: str) -> str:
    """Return text as the value of an attribute, with its quotes; likewise."""
    return quoteattr(_FORBIDDEN.sub("\ufffd", text))
