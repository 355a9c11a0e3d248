"""From plain values to one HTML page in which nothing from outside can act: escaped, hashed, and cut off."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def page(template: str, values: Mapping[str, Any], *, data: object, library: str) -> str:
    """Fills a template of this package; every value that is not already markup is escaped.

    Args:
        template: file name.
        values: what the template names.
        data: JSON value that the page's script reads.
        library: a script that runs before the page's own, "" for none.
    """
    scripts = [script for script in (_asset("report.js"), library) if script]
    for script in scripts:
        if "</script" in script.lower() or "<!--" in script:
            raise AssertionError("a script that would end its own element")
    html = _environment().get_template(template)
    return html.render(
        **values,
        style=Markup(_asset("report.css")),  # noqa: S704 - our own file
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own file and the Vega bundle
        policy=content_policy(scripts),
        data=json_in_script(data),
    )


def json_in_script(value: object) -> Markup:
    r"""JSON that cannot end the script element it stands in, whatever the strings in it say.

    Example:
        >>> print(json_in_script("</script>&"))
        "\u003c/script\u003e\u0026"
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return Markup(text)  # noqa: S704 - made safe above


def content_policy(scripts: Sequence[str]) -> str:
    """Content-Security-Policy: these scripts and no others, nothing compiled from text, no request to anywhere."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{value}'" for value in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("limbeck.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _asset(name: str) -> str:
    return files("limbeck.reporting").joinpath("templates", name).read_text(encoding="utf-8")
