"""The templates' environment, and what the page allows itself: its own style and script alone."""

import hashlib
from base64 import b64encode
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from impromptu.report import accounts, text


@cache
def environment() -> Environment:
    """Return the environment of all templates; HTML is escaped, others escape by filters."""
    made = Environment(
        loader=PackageLoader("impromptu.report"),
        autoescape=select_autoescape(["html.jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "cell": text.markdown_cell,
        "code": text.markdown_code,
        "fenced": text.fenced,
        "data_uri": text.data_uri,
        "metres": text.metres,
        "number": text.number,
        "signed": text.signed,
        "tex": text.latex,
        "written": accounts.written,
    }
    made.globals["mark"] = text.mark
    return made


@cache
def script() -> str:
    """Return the page's script."""
    return files("impromptu.report").joinpath("templates/report.js").read_text("utf-8")


def security_policy() -> str:
    """Return what a browser is told to allow: images in the page, and this very script."""
    digest = b64encode(hashlib.sha256(script().encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
