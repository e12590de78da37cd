"""Base64 that stands in a text without saying so: rows of a dump, fields of records, columns of tables. No words of anybody.

What a ``data:`` address carries is taken out by those who read such addresses.
"""

import re
from collections.abc import Callable

MIN_RUN = 300  # characters without a blank; no word and no address is as long
# at least four rows, all but the last of a usual width, as mails, certificates and `base64` write them
_ROWS = re.compile(r"(?:(?<=\n)|\A)(?:[A-Za-z0-9+/]{56,100}\n){3,}[A-Za-z0-9+/]{1,100}={0,2}(?=\n|\Z)")
_RUN = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]" + f"{{{MIN_RUN},}}" + "={0,2}")
_MIN_SHARES = (("AZ", 0.15), ("az", 0.15), ("09", 0.04))  # of characters between these, as random bytes give
LEFT = "(data)"


def is_payload(run: str) -> bool:
    """Whether a run of characters is encoded bytes and no word: capitals, small letters and digits by chance."""
    return all(
        sum(first <= char <= last for char in run) >= share * len(run) for (first, last), share in _MIN_SHARES
    )


def without_payloads(text: str, put: Callable[[str], str] = lambda _: LEFT) -> str:
    """``text`` with what ``put`` gives for each payload in its place."""
    if len(text) < 4 * 57:
        return text

    def replaced(match: re.Match[str]) -> str:
        return put(match.group()) if is_payload(match.group()) else match.group()

    return _RUN.sub(replaced, _ROWS.sub(replaced, text))
