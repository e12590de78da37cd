"""Base addresses, by name: the authors' by default, each to be replaced by a person's own.

``--mirror NAME=URL`` on the command line goes before ``VIMRAG_MIRRORS="NAME=URL NAME=URL"`` in the environment. A
mirror serves the same paths below its address.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from infra.downloads.redirects import checked_address

VARIABLE = "VIMRAG_MIRRORS"
TOKEN_VARIABLE = "HF_TOKEN"  # of the hub, for datasets that want their terms accepted there
HUB = "huggingface"
YOUTUBE = "youtube"
DEFAULTS: Mapping[str, str] = {
    "hotpotqa": "http://curtis.ml.cmu.edu/datasets/hotpot",
    "squad": "https://rajpurkar.github.io/SQuAD-explorer/dataset",
    "webqa": "",  # the authors' folder has no plain addresses
    HUB: "https://huggingface.co",
    "github-raw": "https://raw.githubusercontent.com",
    "github-archive": "https://codeload.github.com",
    "github-api": "https://api.github.com",
    YOUTUBE: "https://www.youtube.com/watch?v={id}",
}


@dataclass(frozen=True, slots=True)
class Mirrors:
    """The addresses in use. ``overrides`` replace the defaults."""

    overrides: Mapping[str, str] = field(default_factory=dict)

    def base(self, name: str) -> str:
        """The base address called ``name``, without a slash at its end; "" if there is none."""
        return self.overrides.get(name, DEFAULTS[name]).rstrip("/")

    def address(self, template: str, *, revision: str = "", file: str = "") -> str:
        """``template`` with every mirror filled in.

        Raises:
            ValueError: if it needs a mirror that has no address.
        """
        for name in DEFAULTS:
            if f"{{{name}}}" in template:
                if not self.base(name):
                    raise ValueError(f"no address of {name!r} is known: give one with --mirror {name}=URL")
                template = template.replace(f"{{{name}}}", self.base(name))
        return template.replace("{revision}", revision).replace("{file}", file)

    def video(self, video_id: str) -> str:
        """The address of a video; a mirror may hold ``{id}``, else the id follows behind a slash."""
        base = self.base(YOUTUBE)
        return base.replace("{id}", video_id) if "{id}" in base else f"{base}/{video_id}"

    def headers(self, url: str) -> dict[str, str]:
        """What is sent along: the hub's token to the hub itself, to no mirror of it."""
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
        is_hub = url.startswith(f"{DEFAULTS[HUB]}/")
        return {"Authorization": f"Bearer {token}"} if token and is_hub else {}


def mirrors_of(options: Iterable[str]) -> Mirrors:
    """The mirrors that ``options`` ("NAME=URL") and the environment name.

    Raises:
        ValueError: if a name is unknown or an address is none.
    """
    overrides: dict[str, str] = {}
    for option in (*os.environ.get(VARIABLE, "").split(), *options):
        name, sign, url = option.partition("=")
        if name not in DEFAULTS or not sign:
            raise ValueError(
                f"a mirror is given as NAME=URL, not {option!r}; the names are {', '.join(DEFAULTS)}"
            )
        checked_address(url.replace("{id}", "id"))
        overrides[name] = url
    return Mirrors(overrides)
