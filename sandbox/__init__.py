"""The embedded world of alertstorm: real Redis with Sentinels, a Kubernetes-compatible API, a Gateway.

`python -m sandbox` starts it and keeps it; the harness talks to it over the network only. Nobody imports
this package, and it imports nobody: a mistake shared by the harness and its sandbox would be a mistake
nobody can see.
"""
