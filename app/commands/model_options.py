"""Options by which commands are told which model to ask, so that they read and behave alike."""

from typing import Annotated

import typer

Model = Annotated[
    str,
    typer.Option(
        "--model", envvar="VIMRAG_MODEL", help="Checkpoint folder, or the name of a model at the endpoint."
    ),
]
Endpoint = Annotated[
    str,
    typer.Option(
        "--endpoint", envvar="VIMRAG_ENDPOINT", help="OpenAI-compatible address, usually ending in /v1."
    ),
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", min=1, max=1_000_000, help="Longest reply of the model.")
]
Temperature = Annotated[
    float | None,
    typer.Option("--temperature", min=0.0, max=2.0, help="0 always draws the likeliest token."),
]
PriceOption = Annotated[
    str | None,
    typer.Option(
        "--prices", metavar="IN,OUT", help="What a million tokens cost, read and written; shows the cost."
    ),
]
