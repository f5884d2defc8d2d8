"""DURING: the live run. The only code that touches network, clock, cluster and processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locust.env import Environment
    from locust.event import Events

    from chaos_hooks.session import Session


def install(events: Events) -> Session:
    """Add every listener of this tool to Locust's events, in the order in which they fire."""
    # Importing Locust patches the whole process; who only wants a part of this package is spared it.
    from chaos_hooks import observing, options, web
    from chaos_hooks.session import Session

    session = Session()

    def on_options(parser: Any, **_: Any) -> None:
        options.add_to(parser, session.scenario_given)

    def on_init(environment: Environment, web_ui: Any, **_: Any) -> None:
        session.begin(environment)
        if web_ui:
            web.add_pages(web_ui, session)
        observing.start(environment, web_ui, session)

    def on_test_start(**_: Any) -> None:
        session.start()

    def on_test_stopping(**_: Any) -> None:
        # When the shape ends the test the run is over already; else somebody wants to stop it.
        session.stop("stopped by the user")

    def on_quitting(**_: Any) -> None:
        # SIGTERM comes here first, before the test is stopped.
        session.quit()

    def on_quit(environment: Environment | None = None, **_: Any) -> None:
        session.print_last()

    events.init_command_line_parser.add_listener(on_options)
    events.init.add_listener(on_init)
    events.test_start.add_listener(on_test_start)
    events.test_stopping.add_listener(on_test_stopping)
    events.quitting.add_listener(on_quitting)
    events.quit.add_listener(on_quit)
    return session
