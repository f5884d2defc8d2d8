"""`pytest scenarios/` runs every scenario as a test; see `chaos_hooks.pytest_plugin`."""

from chaos_hooks.pytest_plugin import pytest_addoption, pytest_collect_file

__all__ = ["pytest_addoption", "pytest_collect_file"]
