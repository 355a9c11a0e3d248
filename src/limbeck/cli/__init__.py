"""The command line: it parses, calls one verb, and prints. Errors are one line; exit codes are those of `errors`."""

import errno
import os
import sys
import traceback
from collections.abc import Sequence

from limbeck.errors import Interrupted, LimbeckError

_INTERRUPTED = Interrupted.exit_code
_FULL = {errno.ENOSPC, errno.EDQUOT}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and leaves with its exit code.

    0: done; 1: the run failed, and the same command resumes it; 2: what was given is wrong; 130: interrupted.

    Args:
        arguments: without the program's name; `None` takes the process's.

    Raises:
        SystemExit: always.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if "WORLD_SIZE" in os.environ:  # every process would say how torch might go faster; read when torch is imported
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    raise SystemExit(_run(list(arguments)))


def _run(arguments: list[str]) -> int:
    from limbeck.cli.app import app, usage_error

    debug = "--debug" in arguments  # wherever it stands
    arguments = [argument for argument in arguments if argument != "--debug"] or ["--help"]
    try:
        code = app(args=arguments, prog_name="limbeck", standalone_mode=False)
    except LimbeckError as error:
        if debug:
            traceback.print_exc()
        return _say(" ".join(str(error).split()), error.exit_code)
    except OSError as error:
        if debug:
            raise
        return _say(_refused(error), 1)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except Exception as error:
        usage = usage_error(error)
        if usage is None:  # a mistake of ours: the traceback is what helps
            raise
        if usage:
            return _say(usage, 2)
        code = _INTERRUPTED
    if code == _INTERRUPTED:  # typer makes an exit of Ctrl-C
        return _say("interrupted; run the same command to go on", _INTERRUPTED)
    return code if isinstance(code, int) else 0


def _refused(error: OSError) -> str:
    """What the system refused, where nobody nearer knew better."""
    if error.errno in _FULL:
        return f"no space left for {error.filename or 'the run'}: free some and run the same command again"
    why = " ".join((error.strerror or str(error)).split())
    where = "" if error.filename is None else f"{error.filename}: "
    return f"{where}{why}; mend that and run the same command again (--debug shows where it happened)"


def _say(message: str, code: int) -> int:
    sys.stderr.write(f"limbeck: {message}\n")
    return code
