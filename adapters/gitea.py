"""
Gitea from 1.9 on, also for hooks of its types `gitea` and `gogs`.

Sources: https://docs.gitea.com/usage/webhooks and, for what that page leaves out or has wrong,
https://github.com/go-gitea/gitea/blob/main/services/webhook/deliver.go

A new tag comes as push and create, a deleted tag as push and delete, a deleted branch as delete
alone: https://github.com/go-gitea/gitea/blob/main/services/repository/push.go
"""

from adapters.gitea_like import GiteaLike

ADAPTER = GiteaLike("gitea", "Gitea", alone=frozenset({("delete", "branch")}))
