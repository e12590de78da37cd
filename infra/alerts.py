"""Telling people that something failed: a line in the log, a POST to an address, a mail. Chosen in one small file.

Holds the sending only; what failed is known by whoever calls. A password is never in the file: VIMRAG_SMTP_PASSWORD.
"""

import logging
import os
import smtplib
import ssl
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter, ValidationError

log = logging.getLogger(__name__)

PASSWORD_VARIABLE = "VIMRAG_SMTP_PASSWORD"
TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What failed."""

    title: str
    """One line."""
    cause: str
    link: str = ""
    """Where to look."""

    @property
    def text(self) -> str:
        """For people."""
        return "\n".join(part for part in (self.title, self.cause, self.link) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that takes JSON: ``text`` as chats want it, beside ``title``, ``cause`` and ``link``."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A server that sends mail."""

    host: str
    sender: str
    recipients: tuple[str, ...]
    port: int = 587
    starttls: bool = True
    user: str = ""
    """With it the password of VIMRAG_SMTP_PASSWORD is sent, and only over TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """Who is told."""

    page: str = ""
    """Address of Dagster's page, for links."""
    webhooks: tuple[Webhook, ...] = ()
    mail: Mail | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """The JSON file; nobody where there is none.

        Raises:
            ValueError: if it is not such a file, with the place that is wrong.
        """
        if not path.is_file():
            return cls()
        try:
            return TypeAdapter(cls).validate_json(path.read_bytes())
        except ValidationError as error:
            places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ValueError(f"{path}: {places}") from None


def send(alert: Alert, settings: AlertSettings) -> list[str]:
    """Tell everybody; returns what could not be sent, a sentence each, for one way that is blocked must not block the others."""
    log.error("%s: %s", alert.title, alert.cause)
    failed = [problem for webhook in settings.webhooks if (problem := _post(alert, webhook))]
    if settings.mail is not None:
        try:
            _mail(alert, settings.mail)
        except (OSError, ValueError) as error:
            failed.append(f"no mail by {settings.mail.host}: {error}")
    for each in failed:
        log.warning("an alert was not sent: %s", each)
    return failed


def _post(alert: Alert, webhook: Webhook) -> str | None:
    import httpx  # an eighth of what the definitions take to import

    try:
        reply = httpx.post(webhook.url, json={"text": alert.text, **asdict(alert)}, timeout=TIMEOUT_S)
        reply.raise_for_status()
    except httpx.HTTPError as error:
        return f"no answer of {httpx.URL(webhook.url).host}: {type(error).__name__}"
    return None


def _mail(alert: Alert, mail: Mail) -> None:
    message = EmailMessage()
    message["Subject"] = alert.title
    message["From"], message["To"] = mail.sender, ", ".join(mail.recipients)
    message.set_content(alert.text)
    if mail.user and not mail.starttls:
        raise ValueError("a password is sent over TLS only: set starttls")
    with smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT_S) as server:
        if mail.starttls:
            server.starttls(context=ssl.create_default_context())
        if mail.user:
            server.login(mail.user, os.environ.get(PASSWORD_VARIABLE, ""))
        server.send_message(message)
