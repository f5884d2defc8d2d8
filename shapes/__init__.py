"""BEFORE: the plan. Pure: time in, decision out; no network, no clock, no randomness of its own."""
