"""A TCP fault proxy with the HTTP API of Toxiproxy 2.12.0: `python -m sandbox.toxiproxy`.

The data plane differs from the original where the original has an accident: reset_peer sends a real RST also
on connections that are older than the toxic, and only when it fires; toxicity is rolled when a connection
begins and when that toxic is changed, not when its neighbour is; traffic is counted as it flows, not when
the connection ends; a slow upstream does not keep other clients from being accepted.
"""
