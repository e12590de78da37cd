"""Calls as the templates of other models write them: each published form, for each of the three acts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from memory_graph.actions import Action, Answer, Mark, Memorize, Search
from memory_graph.parsing import ActionError, parse

ACTS: tuple[Action, ...] = (
    Search(id="n1", parents=("root",), query="When was the lamp replaced?"),
    Memorize(
        id="n1",
        summary="Replaced in 1961;\nthe page says <when>.",
        marks=(
            Mark(item=1, useful=True, priority=5, timestamps=(3.5,)),
            Mark(item=2, useful=False, priority=1),
        ),
    ),
    Answer(parents=("n1", "n2"), text="1961"),
)


def _wire(act: Action) -> tuple[str, dict[str, Any]]:
    if isinstance(act, Search):
        return "search", {"id": act.id, "parents": list(act.parents), "query": act.query}
    if isinstance(act, Memorize):
        items = [
            {
                "item": m.item,
                "useful": int(m.useful),
                "priority": m.priority,
                "timestamps": list(m.timestamps),
            }
            for m in act.marks
        ]
        return "memorize", {"id": act.id, "summary": act.summary, "items": items}
    return "answer", {"parents": list(act.parents), "answer": act.text}


def _xml(opening: str, parameter: str, end: str, closing: str) -> Callable[[str, dict[str, Any]], str]:
    def written(name: str, arguments: dict[str, Any]) -> str:
        inner = "".join(
            parameter.format(key) + (value if isinstance(value, str) else json.dumps(value)) + end
            for key, value in arguments.items()
        )
        return opening.format(name) + inner + closing

    return written


def _python(name: str, arguments: dict[str, Any]) -> str:
    return name + "(" + ", ".join(f"{key}={value!r}" for key, value in arguments.items()) + ")"


FORMS: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "Qwen3-Coder": _xml(
        "<tool_call>\n<function={}>\n", "<parameter={}>\n", "\n</parameter>\n", "</function>\n</tool_call>"
    ),
    "Qwen3-Coder without tags around": _xml("<function={}>\n", "<parameter={}>\n", "\n</parameter>\n", ""),
    "Qwen3-Coder, ends missing": _xml(
        "<function={}>\n", "<parameter={}>\n", "\n", "</function>\n</tool_call>"
    ),
    "Seed": _xml(
        "<seed:tool_call>\n<function={}>\n",
        "<parameter={}>",
        "</parameter>\n",
        "</function></seed:tool_call>",
    ),
    "MiniMax": _xml(
        '<minimax:tool_call>\n<invoke name="{}">\n',
        '<parameter name="{}">',
        "</parameter>\n",
        "</invoke>\n</minimax:tool_call>",
    ),
    "DeepSeek V3.2": _xml(
        '<\uff5cDSML\uff5cfunction_calls>\n<\uff5cDSML\uff5cinvoke name="{}">\n',
        '<\uff5cDSML\uff5cparameter name="{}" string="true">',
        "</\uff5cDSML\uff5cparameter>\n",
        "</\uff5cDSML\uff5cinvoke>\n</\uff5cDSML\uff5cfunction_calls>",
    ),
    "GLM": _xml("<tool_call>{}\n", "<arg_key>{}</arg_key>\n<arg_value>", "</arg_value>\n", "</tool_call>"),
    "Hermes": lambda name, a: f"<tool_call>\n{json.dumps({'name': name, 'arguments': a})}\n</tool_call>",
    "Llama, function tag": lambda name, a: f"<function={name}>{json.dumps(a)}</function>",
    "Llama, python tag": lambda name, a: (
        f"<|python_tag|>{json.dumps({'type': 'function', 'name': name, 'parameters': a})}<|eom_id|>"
    ),
    "Llama, keywords": lambda name, a: f"[{_python(name, a)}]",
    "Llama, built-in": lambda name, a: "<|python_tag|>" + _python(name + ".call", a),
    "Gemma": lambda name, a: f"```tool_code\n{_python(name, a)}\n```",
    "Mistral": lambda name, a: f"[TOOL_CALLS] [{json.dumps({'name': name, 'arguments': a})}]",
    "Mistral, version 11": lambda name, a: f"[TOOL_CALLS]{name}[CALL_ID]abcDEF123[ARGS]{json.dumps(a)}",
    "Mistral, version 13": lambda name, a: f"[TOOL_CALLS]{name}{json.dumps(a)}</s>",
    "fenced": lambda name, a: f"```json\n{json.dumps({'name': name, 'arguments': a}, indent=2)}\n```",
    "fenced list": lambda name, a: f"```json\n[{json.dumps({'tool_name': name, 'parameters': a})}]\n```",
    "OpenAI object": lambda name, a: json.dumps(
        {
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": name, "arguments": json.dumps(a)}}
            ]
        }
    ),
    "DeepSeek R1": lambda name, a: (
        "<\uff5ctool\u2581calls\u2581begin\uff5c><\uff5ctool\u2581call\u2581begin\uff5c>function<\uff5ctool\u2581sep\uff5c>"
        f"{name}\n```json\n{json.dumps(a)}\n```<\uff5ctool\u2581call\u2581end\uff5c>"
    ),
    "DeepSeek V3.1": lambda name, a: (
        f"<\uff5ctool\u2581call\u2581begin\uff5c>{name}<\uff5ctool\u2581sep\uff5c>{json.dumps(a)}"
        "<\uff5ctool\u2581call\u2581end\uff5c>"
    ),
    "Kimi": lambda name, a: (
        "<|tool_calls_section_begin|><|tool_call_begin|>functions."
        f"{name}:0<|tool_call_argument_begin|>{json.dumps(a)}<|tool_call_end|>"
    ),
    "gpt-oss": lambda name, a: (
        "<|channel|>analysis<|message|>I look.<|end|><|start|>assistant<|channel|>commentary "
        f"to=functions.{name} <|constrain|>json<|message|>{json.dumps(a)}<|call|>"
    ),
    "gpt-oss, the other order": lambda name, a: (
        f"<|start|>assistant to=functions.{name}<|channel|>commentary json<|message|>{json.dumps(a)}<|call|>"
    ),
    "Granite": lambda name, a: f"<|tool_call|>[{json.dumps({'name': name, 'arguments': a})}]",
    "ReAct": lambda name, a: f"Thought: I look.\nAction: {name}\nAction Input: {json.dumps(a)}\nObservation:",
}


@pytest.mark.parametrize("act", ACTS, ids=lambda act: type(act).__name__)
@pytest.mark.parametrize("form", FORMS)
def test_a_call_is_read_in_every_published_form(form: str, act: Action):
    assert parse("I think about it.\n" + FORMS[form](*_wire(act))).action == act


@pytest.mark.parametrize(
    "name",
    [
        "search<|channel|>commentary",
        "search<|channel|>json",
        "search<|constrain|>json",
        "functions.search",
        "functions.search:0",
        "Search<\uff5cend\uff5c>",
    ],
)
def test_what_a_template_leaves_at_a_name_is_cut_off(name: str):
    call = json.dumps({"name": name, "arguments": {"id": "n1", "parents": ["root"], "query": "q"}})
    assert parse(f"<tool_call>{call}</tool_call>").action == Search("n1", ("root",), "q")


def test_reasoning_may_speak_of_other_calls_and_the_call_comes_after_it():
    thought = "<think>I could <function=search><parameter=query>x</parameter></function></think>"
    assert parse(thought + FORMS["Qwen3-Coder"](*_wire(ACTS[2]))).action == ACTS[2]
    assert parse("[THINK]search(query='x')[/THINK]" + FORMS["Mistral"](*_wire(ACTS[2]))).action == ACTS[2]


def test_a_list_that_was_never_closed_is_closed_where_its_object_ends_and_that_is_noted():
    items = '"items":[{"item":1,"useful":1,"priority":4}'
    read = parse(
        f'<tool_call>{{"name":"memorize","arguments":{{"id":"n1","summary":"s",{items}}}}}</tool_call>'
    )
    assert read.action == Memorize("n1", "s", (Mark(item=1, useful=True, priority=4),))
    assert "closing bracket missing" in read.repairs


@pytest.mark.parametrize(
    "text",
    [
        "<function=search></function>",  # no parameters
        "<function=delete><parameter=query>x</parameter></function>",  # no act of ours
        "I will search (query = it) for the lamp.",
        "The function f(x=1) is increasing.",
    ],
)
def test_prose_and_foreign_calls_are_no_call(text: str):
    with pytest.raises(ActionError):
        parse(text)


@pytest.mark.parametrize(
    "unit",
    [
        "<function=search>",
        "<function=search><parameter=a>",
        "search(a=[",
        "[TOOL_CALLS]search{",
        "to=search ",
    ],
)
def test_a_wall_of_openings_is_given_up_early(unit: str):
    with pytest.raises(ActionError):
        parse(unit * (900_000 // len(unit)))
