"""A console logger for people: time, stage and message, nothing else.

Dagster's own one prints run ids and engine events; it stays the default and the full record is in the UI either way.
"""

import logging
from typing import Any

import dagster as dg


class ProgressFormatter(logging.Formatter):
    """``12:03:04  corpus   hotpotqa: read: 120 ...``; colours are left to the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, or several where the message has several."""
        meta = getattr(record, "dagster_meta", {})
        step = meta.get("step_key") or "run"
        text = (meta.get("orig_message") or record.getMessage()) + _reason(meta.get("dagster_event"))
        mark = "" if record.levelno < logging.WARNING else f"{record.levelname}: "
        return f"{self.formatTime(record, '%H:%M:%S')}  {step:<22} {mark}{text}"


def _reason(event: Any) -> str:
    """Why a step failed: the innermost cause of its error, on lines of its own; empty for any other event."""
    error: Any = getattr(getattr(event, "event_specific_data", None), "error", None)
    while (cause := getattr(error, "cause", None)) is not None:
        error = cause
    message = getattr(error, "message", None)
    return f"\n{message.strip()}" if isinstance(message, str) else ""


@dg.logger(
    config_schema={"level": dg.Field(str, default_value="INFO")}, description="Time, stage and message"
)
def progress_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """Logs progress to standard error from ``level`` on."""
    handler = logging.StreamHandler()
    handler.setFormatter(ProgressFormatter())
    logger = logging.Logger("vimrag.progress", level=context.logger_config["level"])
    logger.addHandler(handler)
    return logger
