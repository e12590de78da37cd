"""Numbers in sentences."""


def counted(number: int, singular: str, plural: str = "") -> str:
    """``1 search``, ``1,200 searches``: the plural has an s more unless another one is given."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
