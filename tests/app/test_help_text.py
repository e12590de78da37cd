"""Help whose paragraphs are as wide as the terminal, whatever the lines of the docstrings."""

from __future__ import annotations

import inspect

import typer

from app.commands.help_text import flow, paragraphs
from app.program import app


def test_a_paragraph_is_one_line_and_examples_keep_theirs():
    text = "Reads files.\n\nIt goes on\nafter a stop.\n\n  vimrag a\n  vimrag b"
    assert paragraphs(text) == "Reads files.\n\nIt goes on after a stop.\n\n  vimrag a\n  vimrag b"


def test_commands_of_groups_flow_too_and_keep_help_that_was_given():
    inner, outer = typer.Typer(), typer.Typer()
    outer.add_typer(inner, name="inner")

    @inner.command()
    def first() -> None:
        """One line.

        Two
        lines.
        """

    @outer.command(help="Said\nhere.")
    def second() -> None:
        """Not this."""

    flow(outer)
    assert inner.registered_commands[0].help == "One line.\n\nTwo lines."
    assert outer.registered_commands[0].help == "Said here."


def test_every_command_of_the_program_has_help_that_flows():
    def commands(of: typer.Typer) -> list[str]:
        own = [each.help or "" for each in of.registered_commands]
        return own + [
            text
            for group in of.registered_groups
            if group.typer_instance is not None
            for text in commands(group.typer_instance)
        ]

    texts = commands(app)
    assert len(texts) > 30 and all(texts)
    assert all(inspect.cleandoc(text) == paragraphs(inspect.cleandoc(text)) for text in texts)
