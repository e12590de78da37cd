"""The page of a checkpoint's folder, as model hubs show it: what it is, how far it was trained, how it is loaded.

Says what the folder itself knows and nothing else. Whether the weights may be passed on is decided by the licence of those that
the run began from, which no folder knows: the card leaves its field of a hub empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.training.checkpoint import TrainingProgress

CARD = "README.md"
HEAD = {
    "library_name": "transformers",
    "pipeline_tag": "image-text-to-text",
    "tags": ["vimrag", "multimodal", "retrieval-augmented-generation", "agent"],
}


def model_card(
    folder: Path, progress: TrainingProgress, params: Mapping[str, Any], inputs: Mapping[str, str]
) -> str:
    """Markdown under a head in YAML, of the checkpoint whose other files lie in ``folder``; equal for equal arguments."""
    architecture = _architecture(folder)
    score = "not measured" if progress.score is None else f"{progress.score:.4g}"
    facts = {
        "Architecture": f"`{architecture}`",
        "Policy updates": str(progress.update),
        "Optimiser steps": str(progress.steps),
        "Share of held-out questions answered rightly": score,
        **{f"Made from: {name}": f"`{value}`" for name, value in sorted(inputs.items())},
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    loaded = f"model = {architecture}.from_pretrained(FOLDER)"
    settings = json.dumps(dict(params), indent=1, sort_keys=True, ensure_ascii=False)
    return f"""{_head()}
# A VimRAG policy

An agent that searches a corpus of texts, pages, pictures and videos, remembers what it saw in a graph, and answers with
sources. The graph and the search are not in the weights: `vimrag ask --model FOLDER` brings them, and the prompts it was
trained on.

| | |
|---|---|
{table}

```python
from transformers import AutoTokenizer, {architecture}

{loaded}
tokenizer = AutoTokenizer.from_pretrained(FOLDER)
```

`state/`, where there is one, is of the optimiser: a run goes on from it, and nobody else needs it. `manifest.json` has size
and sha256 of every other file. The licence is that of the weights that the run began from.

<details><summary>Settings of the run</summary>

```json
{settings}
```

</details>
"""


def _head() -> str:
    lines = ["---", f"library_name: {HEAD['library_name']}", f"pipeline_tag: {HEAD['pipeline_tag']}", "tags:"]
    return "\n".join([*lines, *(f"- {tag}" for tag in HEAD["tags"]), "---", ""])


def _architecture(folder: Path) -> str:
    """As the configuration names it; by the class that finds out for itself where it names none."""
    try:
        named = json.loads((folder / "config.json").read_text(encoding="utf-8"))["architectures"]
        return str(named[0])
    except (FileNotFoundError, ValueError, KeyError, IndexError, TypeError):
        return "AutoModelForImageTextToText"
