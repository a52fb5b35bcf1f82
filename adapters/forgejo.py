"""
Forgejo, for hooks of its types `forgejo` and `gitea`.

Source: https://codeberg.org/forgejo/forgejo/src/branch/forgejo/services/webhook

Like Gitea, but hooks of type `forgejo` write the ref of create and delete in full, those of type
`gitea` short; no header tells which type it is.
"""

from adapters.gitea_like import GiteaLike

ADAPTER = GiteaLike("forgejo", "Forgejo", alone=frozenset({("delete", "branch")}), full_refs=True)
