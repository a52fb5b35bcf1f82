"""How this machine reaches what listens on an address of a directcd.toml."""

EVERY_ADDRESS = frozenset({"", "0.0.0.0", "[::]"})  # noqa: S104 - recognised, not listened on


def url_of(listen: str) -> str:
    """The URL of whoever listens on `host:port`."""
    host, _, port = listen.rpartition(":")
    if host == "[::]":  # IPv6 alone, while no host at all means both
        return f"http://[::1]:{port}"
    return f"http://{'127.0.0.1' if host in EVERY_ADDRESS else host}:{port}"
