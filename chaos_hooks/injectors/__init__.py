"""Fault backends, one file each; the name in a scenario's ``inject:`` is the file's.

A backend is a module with a class ``Injector``, made from the target's endpoints, the run's clock and the
fault, with four verbs:

``available() -> str``
    Empty when the fault can be injected here, else the reason why not and the mend. Changes nothing.
``inject(write_undo) -> Effect``
    Call ``write_undo(undo)`` with what heals it *before* doing anything, then break it, and return when its
    effect was seen. Each fault carries a lease, so that it ends by itself when this process is killed: on the
    server's side where the server has such a thing, else by a watchdog (`chaos_hooks.lease`).
    The undo is JSON, holds everything that healing needs, and the fault's own ``options``: another process,
    which knows no scenario and no endpoints, must be able to heal with it.
``heal(undo) -> Effect``
    End the fault; twice does no harm. An effect that can be seen only afterwards is told here (``bit``).
``sweep(undo) -> str``
    Heal what an earlier run left behind; return what was found. Raise InjectionError if it is still there.

Beside the class there may be a function ``lacks(endpoints) -> str``: what this machine itself lacks for it,
known before there is a target; a scenario that injects it is then SKIPPED with that reason.
"""
