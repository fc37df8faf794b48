"""The entry point: finds the command, and turns whatever it raises into words and an exit code."""

from __future__ import annotations

import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from wire.cli.streams import replace_closed
from wire.core.errors import ConfigError, Finding, UnavailableError, WireError

COMMANDS: Final = {
    "run": "run",
    "lint": "lint",
    "test": "test",
    "list": "list_components",
    "describe": "describe",
    "schema": "schema",
    "new": "new",
    "serve": "serve",
    "dlq": "dlq",
    "pipeline": "pipeline",
    "cluster": "cluster",
    "top": "top",
    "context": "context",
    "certs": "certs",
    "doctor": "doctor",
    "completion": "completion",
    "version": "version",
}
"""By name: the module of `wire.cli.commands` that has it."""

PROGRAM: Final = "wire"


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are asked for."""

    def __init__(self, **attributes: Any) -> None:
        """Know all commands by name, none by content."""
        super().__init__(**attributes)
        names: Any = dict.fromkeys(COMMANDS)
        self.commands = names  # where "did you mean" looks

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands in the order they are best learned."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command, None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"wire.cli.commands.{COMMANDS[cmd_name]}")
        module.app.rich_markup_mode = app.rich_markup_mode
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,  # `wire completion` prints it instead
    no_args_is_help=True,
    rich_markup_mode="rich" if sys.stdout and sys.stdout.isatty() else None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(asked: bool) -> None:
    if asked:
        from wire import __version__

        typer.echo(f"wire {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an unexpected error (or set WIRE_DEBUG=1).")
    ] = False,
) -> None:
    """Move and transform records continuously: from Kafka, MongoDB and files into Kafka, Elasticsearch and more."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit the process."""
    replace_closed()
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or os.environ.get("WIRE_DEBUG", "0") not in ("", "0")
    words = [word for word in words if word != "--debug"]  # it may stand anywhere
    if f"_{PROGRAM.upper()}_COMPLETE" in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined] # there since 0.1, never re-exported

        completion_init()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no arrows is no reason to fail
    code = _run(words, debug)
    sys.exit(_flush(debug) or code)


def _run(words: list[str], debug: bool) -> int:
    try:
        code = typer.main.get_command(app).main(args=words, prog_name=PROGRAM, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except typer.TyperException as exc:
        return _misused(exc, debug)
    except WireError as exc:
        return _expected(exc, debug)
    except OSError as exc:
        return _refused(exc, debug)
    except (KeyboardInterrupt, typer.Abort):  # Ctrl-C, or the end of what a question is answered from
        return 130
    except BaseExceptionGroup as exc:
        return _unexpected(exc, debug)
    except Exception as exc:
        return _unexpected(exc, debug)


def _flush(debug: bool) -> int:
    """Write out what is still to be written and return an exit code: 0 if that went well."""
    try:
        sys.stdout.flush()
    except OSError as exc:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes once more at exit
        return 0 if isinstance(exc, BrokenPipeError) else _refused(exc, debug)
    return 0


def _misused(exc: typer.TyperException, debug: bool) -> int:
    """Say what is wrong with the words that were given; where there were none, what there is."""
    context = getattr(exc, "ctx", None)
    command = PROGRAM if context is None else context.command_path
    message = exc.format_message().removesuffix(".")
    if not message or message.startswith("Usage:"):  # help is no mistake's, and may have been printed
        print(message, file=sys.stderr)
        return exc.exit_code
    hint = f"`{command} -h` says what it takes"
    finding = Finding(code="cli.usage", path=command, message=message[0].lower() + message[1:], hint=hint)
    return _expected(ConfigError([finding]), debug)


def _refused(exc: OSError, debug: bool) -> int:
    reason = (exc.strerror or str(exc)).lower()
    message = f"{exc.filename}: {reason}" if exc.filename else reason
    hint = "look at the disk and the permissions of what is read and written, the command's own output included"
    return _expected(UnavailableError("system.refused", message, hint=hint), debug)


def _expected(exc: WireError, debug: bool) -> int:
    from wire.cli.report import print_error

    print_error(exc)
    if debug:
        traceback.print_exc()
    return exc.exit_code


def _unexpected(exc: BaseException, debug: bool) -> int:
    from wire import __version__
    from wire.cli.terminal import Style

    style = Style(sys.stderr)
    if debug:
        traceback.print_exception(exc)
    print(f"{style.red('error[internal]')}: {type(exc).__name__}: {exc}", file=sys.stderr)
    print(f"This is a bug in Wire {__version__}, not in your pipeline.", file=sys.stderr)
    if not debug:
        print("Run the same command with --debug for the traceback, and report it with that.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
