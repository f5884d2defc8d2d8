"""The selftest: the harness against Gateways that are wrong in one known way, and against right ones."""
