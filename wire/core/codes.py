"""Every error code Wire can report, with its meaning. Codes are API: they are added, never renamed or reused.

The first word is the area; where a component is at fault, the second names it. A test checks that every code used
in the source is listed here and that every code listed is used.
"""

from typing import Final

CODES: Final[dict[str, str]] = {
    # what the user wrote
    "config.broken_component": "a component is installed but its code can't be loaded",
    "config.invalid": "the value is not of the kind this field takes",
    "config.missing": "a required field is absent",
    "config.unknown_key": "the field is not known here",
    "config.syntax": "the file is not well-formed YAML or JSON",
    "config.unreadable": "the file can't be read",
    "config.unknown_component": "no component of that name is installed",
    "config.missing_dependency": "a component's library is not installed",
    "config.reference_unresolved": "an ${env:} or ${file:} reference names something that is not there",
    # the memory connectors of wire.testing
    "memory.fenced": "a writer with a newer epoch has been opened",
    "memory.position_lost": "the position is not in the partition, or no longer",
    "memory.scripted": "the test's script asked for this error",
}
