"""Templates of the HTML reports: every text is escaped, made visible and bounded before it is shown."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from reports.presentation import clip, plain

_LONGEST = 2_000


@cache
def template(name: str, *folders: Path) -> jinja2.Template:
    """Return a template from the first of the folders that has it; ``asset(name)`` in it gives a file of
    them as it is."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )

    def asset(file: str) -> Markup:
        path = next(folder / file for folder in folders if (folder / file).is_file())
        return Markup(path.read_text(encoding="utf-8"))

    environment.globals["asset"] = asset
    return environment.get_template(name)


def _shown(value: Any) -> Any:
    # Escaping is left to the template; this makes visible what a browser would hide, and bounds the page.
    return clip(plain(value), _LONGEST) if type(value) is str else value
