"""The fixed words of a conversation, in two profiles: ``FULL`` for real models, ``COMPACT`` for the tiny one.

Holds strings only; ``context.py`` puts questions, graphs, hits and images between them. Every string of
``COMPACT`` is a single token of the tiny tokenizer, so a change here is a change of that model's vocabulary.
"""

import re
from dataclasses import dataclass

from memory_graph.actions import Answer, Mark, Memorize, Search, render

_COMPACT_SYSTEM = (
    "Answer from the corpus."  # the tiny model learns what each memory is from demonstrations, not from words
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The words of one prompt style, by default the compact one. Headings carry their own line breaks."""

    name: str
    system: str = _COMPACT_SYSTEM
    """Instruction of an agent that searches, memorises and answers from a graph with images."""
    system_single: str = "Answer from what was found."
    """Instruction of a policy that is asked once and only answers."""
    system_router: str = "Say where to look, then answer."
    """Of one that picks where to search, once, and then answers."""
    system_history: str = "Search until you can answer."
    """Of one that keeps its whole history and never memorises."""
    system_state: str = "Keep one text beside the last results."
    """Of one that rewrites a text state and sees the last results beside it."""
    system_text_memory: str = "Keep one text and nothing else."
    """Of one that sees its text memory only."""
    system_summaries: str = "Keep a graph of texts."
    """Of a graph without images."""
    system_captions: str = "Keep a graph with captions."
    """Of a graph under which captions made beforehand stand; no images anywhere."""
    system_all_images: str = "Keep a graph with all images."
    """Of a graph under which every image that was found stays."""
    system_descriptions: str = "Keep a graph with descriptions."
    """Of a graph for which images are described in view of the query."""
    by_picture: str = ""
    """Follows the instruction where a search may ask for what looks like kept pictures."""
    question: str = "Question: "
    memory: str = "\nMemory:\n"
    state: str = "\nMemory:\n"
    """Heading of a text that is rewritten whole."""
    evidence: str = "\nEvidence:"
    last_results: str = "\nEvidence:"
    """Heading of the results of the search before."""
    found: str = "Found:"
    left_out: str = "Found:"
    """Stands for results that no longer fit."""
    nothing_new: str = "Nothing new."
    repeated: str = "Nothing new."
    """Notice that stands for the observation when a query was searched before."""
    found_before: str = "Nothing new."
    """Notice before results that the same query found earlier and that are not known."""
    not_searched: str = "Nothing new."
    """Notice that a router's choice needs no search."""
    answer_now: str = "\nAnswer now."


QUERY_SIGN, SUMMARY_SIGN, ANSWER_SIGN = "<what to look up>", "<what was found>", "<the answer>"
PLACEHOLDERS = frozenset({QUERY_SIGN, SUMMARY_SIGN, ANSWER_SIGN})
"""What stands for a text in an example. Nothing else does: a made-up fact would come back as an answer. An action that holds one
of them, or one that a model made like them, is refused (``environment.py``)."""
_LIKE_THEM = re.compile(r"<[^<>=/\"']*[^\W\d_]\s[^<>=/\"']*>")  # words, no markup


def is_placeholder(text: str) -> bool:
    """Whether a text is nothing but words between angle brackets: a sign for a text, and none."""
    return text in PLACEHOLDERS or _LIKE_THEM.fullmatch(text) is not None


_EXAMPLES = (
    Search(id="n2", parents=("n1",), query=QUERY_SIGN),
    Memorize(
        id="n2",
        summary=SUMMARY_SIGN,
        marks=(
            Mark(item=1, useful=True, priority=5),
            Mark(item=2, useful=True, priority=3, timestamps=(12.0,)),
            Mark(item=3, useful=False, priority=1),
        ),
    ),
    Answer(parents=("n2",), text=ANSWER_SIGN),
)

_TASK = """You answer a question by searching a large corpus of text passages, page images and
video clips."""

_SIGNS = "In the examples, words in <> stand for your own."
_ONE_ACTION = f"""Think first, then end your turn with exactly one action, a JSON object between <tool_call> and </tool_call>.
{_SIGNS}"""

_SEARCH = f"""search - ask the corpus one precise sub-question. Give the new node an unused id.
{render(_EXAMPLES[0])}"""

_MEMORIZE = f"""memorize - required after every search, also when nothing helped. Summarise in one to three sentences what
the results say about the query; if nothing is relevant, say so. Judge every numbered result: useful 1 or 0,
and a priority from 1 (barely needed) to 5 (decisive). For a useful video give the times, in seconds, of the
frames worth keeping.
{render(_EXAMPLES[1])}"""

_REWRITE = f"""memorize - required after every search, also when nothing helped. The summary is your whole memory,
written anew: everything that is still needed of the old one and what the results add. It replaces the old one,
and what you leave out is gone; be brief, for a long one is cut. Judge every numbered result: useful 1 or 0, and
a priority from 1 (barely needed) to 5 (decisive).
{render(_EXAMPLES[1])}"""

_ANSWER = f"""answer - when you know enough, name the node ids the answer rests on and state it in as few words as it
needs.
{render(_EXAMPLES[2])}"""

_RULES = """Rules: one action a turn. Break a question that needs several facts into several searches. Never repeat a
query: word it differently or look for something else. Rest the answer on what you found, not on what you
assume. If the corpus does not hold the answer, answer "Not answerable". When you are told to answer now,
answer at once with what you know."""


def _agent(memory: str, *actions: str) -> str:
    """The instruction of an agent with this memory and these actions."""
    numbered = "\n".join(f"{number}. {action}" for number, action in enumerate(actions, start=1))
    return f"{_TASK}\n\n{memory}\n\n{_ONE_ACTION}\n\n{numbered}\n\n{_RULES}"


def _graph_agent(shown: str, kept: str) -> str:
    """The instruction of an agent whose memory is the graph, with ``shown`` beside it; ``kept`` says what to write down."""
    memory = f"""Your memory is a graph. Its root is the question. Every search you make becomes a node that names the
earlier nodes it builds on (its parents; "root" when it follows from the question alone), its query, and a
short summary of what was found. At each turn you are shown the question, the graph so far (one line a node:
id <- parents | query | summary){shown}. You see nothing else of earlier turns, {kept}."""
    return _agent(memory, _SEARCH, _MEMORIZE, _ANSWER)


_IN_A_SUMMARY = "so whatever you will need later has to be in a summary"

_FULL_SYSTEM = _graph_agent(
    ", and the pictures and video frames you chose to keep, under the id of their\nnode",
    f"{_IN_A_SUMMARY} or among\nthe kept items",
)
_FULL_SUMMARIES = _graph_agent("", _IN_A_SUMMARY)
_FULL_CAPTIONS = _graph_agent(
    ", and the captions of all results under the id of their node; you never\nsee pictures themselves",
    _IN_A_SUMMARY,
)
_FULL_ALL_IMAGES = _graph_agent(
    ", and the pictures and video frames of all results, under the id of\ntheir node", _IN_A_SUMMARY
)
_FULL_DESCRIPTIONS = _graph_agent(
    "",
    f"""{_IN_A_SUMMARY}:
describe there what each useful picture or video shows that bears on the query, as exactly as the question needs it""",
)

_FULL_HISTORY = _agent(
    """Every search is a node that names the earlier nodes it builds on (its parents; "root" when it follows from the
question alone) and its query. Its results follow at once and stay before you; when space runs out, the oldest
pictures and then the oldest texts are left out.""",
    _SEARCH,
    _ANSWER,
)

_FULL_STATE = _agent(
    """Your memory is a text that you rewrite after every search. At each turn you are shown the question, your last
search with the text you wrote (one line: id <- parents | query | text), and the results of that search, under
its id. You see nothing else of earlier turns. Name the last search as the parent of the next one and of the
answer ("root" for the first search).""",
    _SEARCH,
    _REWRITE,
    _ANSWER,
)

_FULL_TEXT_MEMORY = _agent(
    """Your memory is a text that you rewrite after every search. At each turn you are shown the question and that text
(one line: id of the last search | text), and nothing else of earlier turns, not even the last results. Name the
last search as the parent of the next one and of the answer ("root" for the first search).""",
    _SEARCH,
    _REWRITE,
    _ANSWER,
)

_ROUTE_EXAMPLE = Search(id="n1", parents=("root",), query="clip")

_FULL_ROUTER = f"""You answer a question from a large corpus of text passages, page images, pictures and videos. First you say
where to look, then you are shown what the question finds there, then you answer.

{_ONE_ACTION}

1. search - the query is one word that says what kind of item answers the question: none (no search is needed),
paragraph (a passage of text), document (pages of a document), image (a picture), clip (a short scene of a
video), video (a whole video).
{render(_ROUTE_EXAMPLE)}
2. {_ANSWER}

If no result holds the answer, answer "Not answerable"."""

_FULL_SINGLE = f"""You answer a question, from search results of a corpus where they are given.

Think first, then end your turn with exactly one action, a JSON object between <tool_call> and </tool_call>:
name the node ids the answer rests on ("root" if there are none) and state it in as few words as it needs.
{_SIGNS}
{render(_EXAMPLES[2])}
If no result holds the answer, answer "Not answerable"."""

_LIKE_EXAMPLE = Search(id="n3", parents=("n2",), query=QUERY_SIGN, like="n2")

_FULL_BY_PICTURE = f"""

A search may also name, as "like", a node under which pictures are kept: pages, pictures and videos that look like them
are then found together with what fits the words.
{render(_LIKE_EXAMPLE)}"""

FULL = Profile(
    name="full",
    system=_FULL_SYSTEM,
    system_single=_FULL_SINGLE,
    system_router=_FULL_ROUTER,
    system_history=_FULL_HISTORY,
    system_state=_FULL_STATE,
    system_text_memory=_FULL_TEXT_MEMORY,
    system_summaries=_FULL_SUMMARIES,
    system_captions=_FULL_CAPTIONS,
    system_all_images=_FULL_ALL_IMAGES,
    system_descriptions=_FULL_DESCRIPTIONS,
    by_picture=_FULL_BY_PICTURE,
    memory="\n\nMemory graph:\n",
    state="\n\nMemory:\n",
    evidence="\n\nKept evidence:",
    last_results="\n\nResults of that search:",
    found="Search results:",
    left_out="Search results: left out, there is no space for them any more.",
    nothing_new="The search returned nothing that you have not seen already.",
    repeated="You searched for this before; it was not searched again. Try other words.",
    found_before="You searched for this before; it was not searched again. What it found that is not before you:",
    not_searched="No search was made.",
    answer_now="\n\nNo more searches are possible. Answer now.",
)

COMPACT = Profile(name="compact")

PROFILES = {profile.name: profile for profile in (FULL, COMPACT)}
