"""A Kubernetes-compatible HTTP API in one process and in memory, for the sandbox.

It speaks the protocol that clients depend on (conflicts, watches, Status bodies, finalizers, discovery).
It has no schema validation, no admission, no access control, no field ownership and no storage on disk.
"""
