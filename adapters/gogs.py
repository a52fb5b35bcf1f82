"""
Gogs from 0.10 on; older versions sign nothing.

Source: https://github.com/gogs/gogs/blob/main/internal/database/actions.go

No push event ever reports a tag, nor any deleted ref.
"""

from adapters.gitea_like import GiteaLike

ADAPTER = GiteaLike(
    "gogs",
    "Gogs",
    alone=frozenset({("create", "tag"), ("delete", "tag"), ("delete", "branch")}),
)
