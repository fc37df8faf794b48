"""What a test run does about a server it can't start."""

from __future__ import annotations

import os


class ServiceMissing(Exception):  # noqa: N818 (it says what is, not what went wrong)
    """The server can't be started on this machine; the message says what to install."""


def must_have_services() -> bool:
    """Return whether a missing server is a failure (`CI=true`) and not a skip."""
    return os.environ.get("CI", "").lower() in {"1", "true"}
