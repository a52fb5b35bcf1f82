"""The names of everything that the log keeps in Redis."""


class Keys:
    """Names under one prefix; the braces put all of them into one hash slot of a Cluster."""

    def __init__(self, prefix: str) -> None:
        self._prefix = f"{prefix}:{{log}}:"

    def __call__(self, name: str) -> str:
        """The key, or channel, of that name."""
        return self._prefix + name
