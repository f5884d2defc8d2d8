"""An admission webhook that lets a real Kubernetes API server answer 429 before it stores anything.

The API server asks it for each write of a RemediationRequest by the Gateway, and turns its refusal into the
answer that the Gateway gets. It refuses only while a fault is on, which is asked of its control port with the
requests that the sandbox's fault layer takes, so that the injector `throttle` serves both. A fault has a
lease. When that is over, or nobody asked, everything passes. When this server is gone, everything passes by
`failurePolicy: Ignore`.

It uses the standard library only: these files and any Python 3.11 are enough to run it in a cluster.
"""
