"""What all pages have in common: templates, style and script inside, nothing from outside."""

import base64
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core.wording import count, duration
from report.text import moment, number, visible

_TEMPLATES = Path(__file__).parent / "templates"


def environment() -> Environment:
    """Return where templates are found, and what they may use; values in them are escaped."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": visible,
        "number": number,
        "moment": moment,
        "duration": duration,
        "count": count,
    }
    return environment


def asset(name: str) -> Markup:
    """Return a style or script of ours, to be written into a page as it is."""
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - our own file


def policy(style: str, script: str) -> str:
    """Return a content security policy: nothing from outside, only the page's style and script."""
    digests = [
        base64.b64encode(sha256(text.encode()).digest()).decode() for text in (style, script)
    ]
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'sha256-{digests[0]}'; script-src 'sha256-{digests[1]}'"
    )
