"""The command line ``vimrag``: its commands put together, and the one place where errors become a line and an exit code.

Exit codes: 0 done, 1 nothing found or failed, 2 wrong usage, 130 stopped by Ctrl-C (``cli.py`` sees to the time around this).
Commands live in ``commands/``, output rules in ``commands/output.py``. Heavy libraries are imported by the commands that need
them, so that help comes at once.
"""

import os
import platform
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer

from app.commands import (
    ask,
    corpus,
    doctor,
    embedder,
    fetch,
    forget,
    history,
    home,
    index,
    ingest,
    mcp,
    miniature,
    plan,
    releases,
    report,
    retrieval,
    search,
    serve,
    sources,
    study,
    xvbench,
)
from app.commands.help_text import flow
from app.commands.measuring import compare, evaluate, export, preflight, questions
from app.commands.options import JsonFlag
from app.commands.output import note, results, write_whatever_comes
from app.errors import STOPPED, UsageError
from infra.errors import ExternalError

DONE, FAILED, WRONG_USAGE = 0, 1, 2
DEBUG_VARIABLE = "VIMRAG_DEBUG"
SHOWN_VERSIONS = (
    *("vimrag", "dagster", "torch", "transformers", "deepspeed", "lancedb", "weaviate-client", "polars"),
)

HINT = " What works here, and what helps, says: vimrag doctor --root ROOT --endpoint URL"
EPILOG = (
    'Start here:  vimrag ingest FOLDER --root runs/mine  &&  vimrag ask "..." --root runs/mine --endpoint URL'
)

app = typer.Typer(
    name="vimrag",
    help="Ask questions over text, page images and video; build the corpus, index it, and measure what is found.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("ingest")(ingest.ingest)
app.command("fetch")(fetch.fetch)
app.add_typer(corpus.app, name="corpus")
app.add_typer(index.app, name="index")
app.add_typer(questions.app, name="questions")
app.add_typer(releases.app, name="releases")
app.add_typer(sources.app, name="sources")
app.command("forget")(forget.forget)
app.add_typer(history.app, name="history")
app.add_typer(embedder.app, name="embedder")
app.add_typer(miniature.app, name="miniature")
app.add_typer(xvbench.app, name="xvbench")
app.command("search")(search.search)
app.command("retrieval")(retrieval.retrieval)
app.command("evaluate", epilog=evaluate.EPILOG)(evaluate.evaluate)
app.command("compare", epilog=compare.EPILOG)(compare.compare)
app.command("export")(export.export)
app.command("ask")(ask.ask)
app.command("serve")(serve.serve)
app.command("mcp")(mcp.mcp)
app.command("doctor")(doctor.doctor)
app.command("report")(report.report)
app.command("plan")(plan.plan)
app.command("preflight")(preflight.preflight)
app.command("home")(home.home)
app.add_typer(study.app, name="study")


@app.command()
def version(json: JsonFlag = False) -> None:
    """Print the versions of this program and of the libraries that matter."""
    numbers = {name: _version(name) for name in SHOWN_VERSIONS}
    versions = {"python": platform.python_version(), **numbers}
    with results() as write:
        write(
            versions if json else "\n".join(f"{name} {n or 'not installed'}" for name, n in versions.items())
        )


flow(app)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _show_version(asked: bool) -> None:
    if asked:
        with results() as write:
            write(f"vimrag {_version('vimrag') or 'unknown'}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", envvar=DEBUG_VARIABLE, help="Show tracebacks of errors.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Ask questions over text, page images and video; build the corpus, index it, and measure what is found."""
    del version  # printed before anything else
    del debug  # read in ``main``, which outlives the command


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (by default this process's) and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments or bool(os.environ.get(DEBUG_VARIABLE))
    if argv is None:
        write_whatever_comes()
    if not debug:
        warnings.simplefilter("ignore")  # of libraries, about their own future
    try:
        app(args=arguments, prog_name="vimrag")
    except SystemExit as end:
        if end.code == STOPPED:
            note("stopped")
        return end.code if isinstance(end.code, int) else DONE if end.code is None else FAILED
    except Exception as error:
        return _explained(error, arguments, debug=debug)
    return DONE


def _explained(error: Exception, arguments: Sequence[str], *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    if _was_interrupted(error):
        note("stopped")
        return STOPPED
    if debug:
        return WRONG_USAGE if isinstance(error, UsageError) else FAILED
    if isinstance(error, ValueError | OSError | ExternalError):
        hint = HINT if isinstance(error, ExternalError) and {"ask", "serve"} & set(arguments) else ""
        words = " ".join(str(error).split())
        stop = "." if hint and not words.endswith((".", "?", "!")) else ""
        note(f"error: {words}{stop}{hint}")
    else:
        note(f"error: unexpected {type(error).__name__}: {error}; run again with: vimrag --debug ...")
    return WRONG_USAGE if isinstance(error, UsageError) else FAILED


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: libraries that are interrupted while they load raise errors of their own."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
