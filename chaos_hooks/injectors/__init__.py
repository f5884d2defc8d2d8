"""Fault backends, one file each; the name in a scenario's ``inject:`` is the file's.

A backend is a module with a class ``Injector``, made from the target's endpoints, the run's clock and the
fault, with four verbs:

``available() -> str``
    Empty when the fault can be injected here, else the reason why not and the mend. Changes nothing.
``inject(write_undo) -> Effect``
    Call ``write_undo(undo)`` with what heals it *before* doing anything, then break it, and return when its
    effect was seen. Each fault carries a lease, so that it ends by itself when this process is killed.
``heal(undo) -> Effect``
    End the fault; twice does no harm.
``sweep(undo) -> str``
    Heal what an earlier run left behind; return what was found. Raise InjectionError if it is still there.
"""
