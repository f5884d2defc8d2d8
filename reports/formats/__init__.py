"""Report formats, one file each; the name on the command line is the file's.

A format is a module whose docstring says what it is for, with ``render(history, verdict) -> str``: pure, it
reads nothing but its own assets, and it never judges. One that also takes ``compared`` is given the run
beside an earlier one (`reports.comparison.Comparison`), or None. ``FILE`` is the name under which the report
is kept in the run's folder; a format without it is only ever printed. Formats do not import each other; what
they share is in `reports.presentation`.
"""
