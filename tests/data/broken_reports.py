"""A locustfile beside ours that breaks all that is rendered: reports, the progress line, the live page."""

from typing import Any

from chaos_hooks import live_chart, live_state, progress
from reports import campaign_formats, formats


def broken(*_: Any, **__: Any) -> Any:
    """Break."""
    raise RuntimeError("planted")


def plant() -> None:
    """Break every format by its module, as the doors find them."""
    import importlib
    import pkgutil

    for package in (formats, campaign_formats):
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}").render = broken  # type: ignore[attr-defined]
    progress.line = live_state.document = broken
    live_chart.LiveOutcomes = broken  # type: ignore[assignment, misc]


plant()
