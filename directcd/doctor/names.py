"""Names of hosts, and what kind of address they lead to."""

from ipaddress import ip_address

from directcd.doctor.findings import Finding, ok, problem
from hub.resolving import addresses

_ANY_PORT = 443


async def lookup(host: str, where: str) -> Finding:
    """Whether this machine can find a host."""
    try:
        found = await addresses(host, _ANY_PORT)
    except OSError as error:
        step = "correct the name, or this machine's DNS (/etc/resolv.conf)"
        return problem(f"{host} cannot be found: {error.strerror or error}", where, step)
    return ok(f"{host} is {', '.join(found)}", where)


async def kind_of(host: str) -> str:
    """`loopback`, `private`, `public`; empty when it cannot be found."""
    try:
        found = [ip_address(one) for one in await addresses(host, _ANY_PORT)]
    except (OSError, ValueError):
        return ""
    if any(one.is_loopback or one.is_unspecified for one in found):
        return "loopback"
    return "private" if any(one.is_private for one in found) else "public"
