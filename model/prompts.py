"""The fixed words of a conversation, in two profiles: ``FULL`` for real models, ``COMPACT`` for the tiny one.

Holds strings only; ``context.py`` puts questions, graphs, hits and pictures between them. Every string of
``COMPACT`` is a single token of the tiny tokenizer, so a change here is a change of that model's vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

from memory_graph.actions import Answer, Mark, Memorize, Search, render


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The words of one prompt style. Headings carry their own line breaks."""

    name: str
    system: str
    """Instruction of an agent that searches, memorises and answers."""
    system_single: str
    """Instruction of a policy that is asked once and only answers."""
    question: str = "Question: "
    memory: str = "\nMemory:\n"
    evidence: str = "\nEvidence:"
    found: str = "Found:"
    nothing_new: str = "Nothing new."
    repeated: str = "Nothing new."
    """Notice that stands for the observation when a query was searched before."""
    answer_now: str = "\nAnswer now."


_EXAMPLES = (
    Search(id="n2", parents=("n1",), query="year the Harbour Museum was founded"),
    Memorize(
        id="n2",
        summary="A leaflet (item 1) gives 1931 as the founding year; the clip (item 2) shows the opening.",
        marks=(
            Mark(item=1, useful=True, priority=5),
            Mark(item=2, useful=True, priority=3, timestamps=(12.0,)),
            Mark(item=3, useful=False, priority=1),
        ),
    ),
    Answer(parents=("n2",), text="1931"),
)

_FULL_SYSTEM = f"""You answer a question by searching a large corpus of text passages, page images and
video clips.

Your memory is a graph. Its root is the question. Every search you make becomes a node that names the
earlier nodes it builds on (its parents; "root" when it follows from the question alone), its query, and a
short summary of what was found. At each turn you are shown the question, the graph so far (one line a node:
id <- parents | query | summary), and the pictures and video frames you chose to keep, under the id of their
node. You see nothing else of earlier turns, so whatever you will need later has to be in a summary or among
the kept items.

Think first, then end your turn with exactly one action, a JSON object between <tool_call> and </tool_call>.

1. search - ask the corpus one precise sub-question. Give the new node an unused id.
{render(_EXAMPLES[0])}
2. memorize - required after every search, also when nothing helped. Summarise in one to three sentences what
the results say about the query; if nothing is relevant, say so. Judge every numbered result: useful 1 or 0,
and a priority from 1 (barely needed) to 5 (decisive). For a useful video give the times, in seconds, of the
frames worth keeping.
{render(_EXAMPLES[1])}
3. answer - when you know enough, name the node ids the answer rests on and state it in as few words as it
needs.
{render(_EXAMPLES[2])}

Rules: one action a turn. Break a question that needs several facts into several searches. Never repeat a
query: word it differently or look for something else. Rest the answer on what you found, not on what you
assume. If the corpus does not hold the answer, answer "Not answerable". When you are told to answer now,
answer at once with what you know."""

_FULL_SINGLE = f"""You answer a question, from search results of a corpus where they are given.

Think first, then end your turn with exactly one action, a JSON object between <tool_call> and </tool_call>:
name the node ids the answer rests on ("root" if there are none) and state it in as few words as it needs.
{render(_EXAMPLES[2])}
If no result holds the answer, answer "Not answerable"."""

FULL = Profile(
    name="full",
    system=_FULL_SYSTEM,
    system_single=_FULL_SINGLE,
    memory="\n\nMemory graph:\n",
    evidence="\n\nKept evidence:",
    found="Search results:",
    nothing_new="The search returned nothing that you have not seen already.",
    repeated="You searched for exactly this before; it was not searched again. Try other words.",
    answer_now="\n\nNo more searches are possible. Answer now.",
)

COMPACT = Profile(name="compact", system="Answer from the corpus.", system_single="Answer from the corpus.")

PROFILES = {profile.name: profile for profile in (FULL, COMPACT)}
