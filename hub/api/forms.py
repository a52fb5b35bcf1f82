"""What a page's form sends: `application/x-www-form-urlencoded`, in UTF-8."""

from urllib.parse import parse_qs

from fastapi import Request


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, each as it came first; what is no UTF-8 is replaced."""
    text = (await request.body()).decode("latin-1")
    return {name: values[0] for name, values in parse_qs(text, errors="replace").items()}
