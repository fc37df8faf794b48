"""Mistakes about formats that show when a pipeline is compiled."""

from __future__ import annotations

from wire.core.errors import ConfigError, Finding


def invalid(path: str, message: str, hint: str) -> ConfigError:
    """Return the error for a format that is not one."""
    return ConfigError([Finding(code="config.invalid", path=path, message=message, hint=hint)])


def unreadable(path: str, message: str, hint: str) -> ConfigError:
    """Return the error for a format whose fields can't be read as the pipeline wants."""
    return ConfigError([Finding(code="format.unreadable", path=path, message=message, hint=hint)])


def unwritable(path: str, message: str, hint: str) -> ConfigError:
    """Return the error for a record that the sink's format can never hold."""
    return ConfigError([Finding(code="format.unwritable", path=path, message=message, hint=hint)])
