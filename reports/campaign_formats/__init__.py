"""Formats of a campaign's report, one file each; the name on the command line is the file's.

A format is a module whose docstring says what it is for, with ``render(campaign) -> str``: pure, it reads
nothing but its own assets and those of `reports.formats`, and it never judges. ``FILE`` is the name under
which the report is kept in the campaign's folder. Formats do not import each other; what they share is in
`reports.campaign_presentation`, `reports.campaign_findings` and `reports.recommendations`.
"""
