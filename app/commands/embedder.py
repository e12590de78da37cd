"""``vimrag embedder``: what a configured embedder reads, how fast it is here, and what the corpus at hand would cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.commands.options import Datasets, JsonFlag, command_group, dataset_names
from app.commands.output import note, progress_bars, results, table_console
from app.errors import UsageError, usage_errors

if TYPE_CHECKING:
    from infra.embedders.check import CorpusCost, EmbedderCheck
    from infra.embedders.config import EmbedderConfig

app = command_group("Look at an embedder before a corpus is indexed with it.")

EPILOG = """[bold]Examples[/bold]

  vimrag embedder check

  vimrag embedder check models/Qwen3-VL-Embedding-2B --dtype bfloat16 --root runs/mine

  vimrag embedder check http://127.0.0.1:8080/v1 --model Qwen/Qwen3-VL-Embedding-2B --root runs/mine --json

An address is asked whether it sees: two pictures of other colours must get other vectors. A key is read from
VIMRAG_EMBEDDER_API_KEY. The speed is that of this machine now, of letter pages and of clips of eight frames."""

Name = Annotated[
    str,
    typer.Argument(
        metavar="EMBEDDER", help="minilm, a model's folder, or an address that usually ends in /v1."
    ),
]


@app.command(epilog=EPILOG)
def check(  # noqa: PLR0913 - each option is one of the command line
    name: Name = "minilm",
    config: Annotated[
        Path | None, typer.Option("--config", help="A record as JSON instead, as a root remembers it.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="Name of the model at the address.")] = None,
    dim: Annotated[
        int | None, typer.Option("--dim", min=1, help="First values of a vector that are kept.")
    ] = None,
    dtype: Annotated[str | None, typer.Option("--dtype", help="float32 or bfloat16, of a folder.")] = None,
    price: Annotated[float | None, typer.Option("--price", min=0, help="Of a million tokens.")] = None,
    root: Annotated[
        str | None,
        typer.Option(
            "--root", envvar="VIMRAG_ROOT", help="Corpus whose cost is estimated: a folder, or s3://..."
        ),
    ] = None,
    datasets: Datasets = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.0, max=600.0, help="Of measuring each kind.")
    ] = 3.0,
    json: JsonFlag = False,
) -> None:
    """Say what an embedder reads, its width and space, its speed here, and what the corpus at hand costs with it."""
    names = dataset_names(datasets)
    chosen = _chosen(name, config, {"model": model, "dim": dim, "dtype": dtype, "price": price})
    from infra.embedders.check import check_embedder, corpus_cost, to_json
    from infra.embedders.config import make_embedder

    with results() as write, progress_bars() as progress:
        found = check_embedder(make_embedder(chosen), seconds=seconds, progress=progress)
        cost = corpus_cost(found, _load(root, names), price=chosen.price) if root else None
        if json:
            write({"config": chosen.model_dump(mode="json", exclude_defaults=True), **to_json(found)}
                  | ({"corpus": to_json(cost)} if cost else {}))  # fmt: skip
            return
    _show(found, cost)


def _chosen(name: str, file: Path | None, choices: dict[str, object]) -> EmbedderConfig:
    from infra.embedders.config import EmbedderConfig, embedder_config

    with usage_errors():
        if file is None:
            return embedder_config(name, **choices)
        if name != "minilm" or any(value is not None for value in choices.values()):
            raise UsageError("--config states everything: give no embedder and no other choice beside it")
        return EmbedderConfig.from_json(file.read_bytes())


def _load(root: str, names: list[str] | None) -> dict[str, int]:
    from assets.corpus.embedding_load import embedding_load
    from infra.storage.root import Storage

    return embedding_load(Storage(root), names)


def _show(found: EmbedderCheck, cost: CorpusCost | None) -> None:
    console = table_console()
    console.print(f"space {found.space}, {found.dim} values, fingerprint {found.fingerprint[:12]}")
    table = Table("reads", "items/s here", "tokens an item", "in the corpus")
    for kind in ("text", "image", "video"):
        speed = found.speed.get(kind)
        count = None if cost is None else {**cost.items, **cost.left_out}.get(kind, 0)
        tokens = None if speed is None else speed.tokens_per_item
        table.add_row(
            kind if speed else f"{kind}: no",
            f"{speed.items_per_s:,.1f}" if speed else "-",
            "-" if tokens is None else f"{tokens:,.0f}",
            "-" if count is None else f"{count:,}",
        )
    console.print(table)
    note(f"first vector after {found.start_s:.1f} s")
    if cost is None:
        return
    parts = [f"{cost.minutes:,.1f} minutes"]
    parts += [] if cost.tokens is None else [f"{cost.tokens:,} tokens"]
    parts += [] if cost.money is None else [f"{cost.money:,.2f} in the currency of --price"]
    note(f"the corpus: {', '.join(parts)}")
    if cost.left_out:
        note(f"not read: {', '.join(f'{count:,} of {kind}' for kind, count in cost.left_out.items())}")
