"""Help as a terminal shows paragraphs: as wide as it is, not as the lines of a docstring were broken in the source."""

import inspect

import typer


def flow(app: typer.Typer) -> None:
    """Give the commands that are registered, those of groups too, their docstrings with one line a paragraph."""
    for command in app.registered_commands:
        if command.callback is not None:
            command.help = paragraphs(command.help or inspect.getdoc(command.callback) or "")
    for group in app.registered_groups:
        if group.typer_instance is not None:
            flow(group.typer_instance)


def paragraphs(text: str) -> str:
    """The text with one line a paragraph; one that has indented lines, as examples have, keeps them."""
    return "\n\n".join(
        paragraph
        if any(line[:1].isspace() for line in paragraph.splitlines())
        else " ".join(paragraph.split())
        for paragraph in text.split("\n\n")
    )
