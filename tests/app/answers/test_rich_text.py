"""Markdown of an answer as safe HTML: sentences keep their marks, nothing of a model becomes markup."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from app.answers.rich_text.markdown import answer_html
from app.answers.support.checking import Claim, Passage, check

PASSAGE = Passage(item_id="a", title="a", text="The pier cost 12 million. It opened in 1931.")
TAGS = re.compile(r"<(/?[a-zA-Z0-9]+)")


def claims_of(answer: str) -> tuple[Claim, ...]:
    return check(answer, [PASSAGE])


def marked(answer: str) -> str:
    return answer_html(answer, claims_of(answer), lambda place: f"<b>[{place}]</b>")


def test_each_sentence_is_followed_by_its_mark_and_emphasis_stays_emphasis():
    html = marked("The pier cost **12 million.** It opened in *1931*.")
    assert "<strong>" in html and "<em>" in html
    assert re.sub(r"<[^>]+>", "", html) == "The pier cost 12 million. It opened in 1931.[0]"
    # in bold the full stop ends no sentence for the checker: one claim, one mark


def test_rows_of_a_table_keep_their_cells_and_their_marks():
    html = marked("| year | cost |\n|---|---|\n| 1931 | 12 million |\n| 1932 | 13 million |")
    cells = re.findall(r"<td[^>]*>(.*?)</td>", html)
    assert [re.sub(r"<[^>]+>", "", cell) for cell in cells] == [
        *("1931", "12 million [1]"),
        *("1932", "13 million [2]"),
    ]
    heads = re.findall(r"<th [^>]*>(.*?)</th>", html)
    assert heads == ["year", "cost "]  # a heading claims nothing


@pytest.mark.parametrize(
    "source", ["$a_1 + \\frac{1}{2}$", "\\(a_1 + \\frac{1}{2}\\)", "$$a_1 + \\frac{1}{2}$$"]
)
def test_formulas_become_mathml(source: str):
    html = answer_html(f"It is {source} exactly.")
    [formula] = re.findall(r"<math.*?</math>", html)
    assert [child.tag.rpartition("}")[2] for child in ElementTree.fromstring(formula).iter()][:3] == [
        *("math", "mrow", "msub"),
    ]
    assert "mfrac" in formula


def test_prices_are_no_formulas():
    assert "<math" not in answer_html("It costs $5 or $10, and $20 at most.")


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[go](javascript:alert(1))",
        "[go](data:text/html;base64,PHNjcmlwdD4=)",
        "![x](http://elsewhere/x.png)",
        "<a href='javascript:x'>x</a>",
        "[x]: javascript:alert(1)\n\n[x]",
        "$\\href{javascript:alert(1)}{x}$",
        "$\\text{<img src=x onerror=alert(1)>}$",
        "$$\\style{background:url(//x)}{y}$$",
        "`" * 500 + "x",
        "> " * 500 + "x",
        "[" * 5000,
        "$" + "{" * 5000 + "}" * 5000 + "$",
        "\ue100\u205f\ue101 x",
    ],
)
def test_nothing_of_a_model_becomes_markup_or_leads_elsewhere(hostile: str):
    html = answer_html(hostile, claims_of(hostile))
    names = {name.strip("/").lower() for name in TAGS.findall(html)}
    assert names.isdisjoint({"script", "img", "iframe", "style", "svg", "object", "form", "input"})
    for attribute in re.findall(r"<[^>]*?\s([a-zA-Z-]+)=", html):
        assert not attribute.lower().startswith("on") and attribute.lower() != "style"
    for address in re.findall(r'href="([^"]*)"', html):
        assert address.startswith(("http://", "https://", "mailto:"))


def test_a_list_and_text_of_right_to_left_say_their_direction():
    html = answer_html("- \u0645\u0631\u062d\u0628\u0627\n- two")
    assert html.count('<li dir="auto">') == 2


def test_what_a_model_numbered_itself_is_left_out():
    assert "[7]" not in marked("It opened in 1931. [7]")
