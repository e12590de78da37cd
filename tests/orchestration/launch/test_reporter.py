"""What a launched process reports reaches Dagster: numbers, texts, tables by name, and what states its own type."""

import sys
from pathlib import Path

import dagster as dg

SCRIPT = """
from orchestration.launch.reporter import open_reporter
with open_reporter() as reporter:
    reporter.finish(
        {
            "found": {"clip": 0.5, "door": float("nan")},
            "curve": {"raw_value": "**up**", "type": "md"},
            "steps": 3,
            "kinds": ["clip"],
        },
        data_version="v1",
    )
"""


def test_every_kind_of_value_arrives(tmp_path: Path):
    script = tmp_path / "reports.py"
    script.write_text(SCRIPT)

    @dg.asset
    def reported(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient) -> dg.MaterializeResult:
        return pipes.run(context=context, command=[sys.executable, str(script)]).get_materialize_result()

    here = str(Path(__file__).parents[3])
    done = dg.materialize([reported], resources={"pipes": dg.PipesSubprocessClient(env={"PYTHONPATH": here})})
    (made,) = done.asset_materializations_for_node("reported")
    values = {name: value.value for name, value in made.metadata.items()}
    assert values["found"] == {"clip": 0.5, "door": None}
    assert (values["curve"], values["steps"], values["kinds"]) == ("**up**", 3, ["clip"])
    assert isinstance(made.metadata["curve"], dg.MarkdownMetadataValue)
