"""Criteria, one file each; the name in a scenario is the file's.

A criterion is a module whose docstring is its promise and whose ``check(history, *, options…) -> Finding``
judges it, from the history alone. Missing data is UNKNOWN, with what to change. ``CONCLUSIVE = True`` says
that its FAIL is proof by itself, even when the run's assumptions did not hold. ``EACH_REPLICA = True`` says
that it is asked of each replica of a Gateway by itself, whose metrics are then the history's; any other sees
the sums.
"""
