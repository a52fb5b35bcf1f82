"""
Forges' APIs as real HTTP servers: what they answer, refuse and forget, and the webhooks they send.

Made from what the forges document and from what a real Gitea and Gogs were seen to do; the traps
are part of it. Commits are names here: git is served by `tests.support.githttp`.
"""

from tests.support.forge_apis.gitea import FakeGitea
from tests.support.forge_apis.github import FakeGitHub
from tests.support.forge_apis.gitlab import FakeGitLab

__all__ = ["FakeGitHub", "FakeGitLab", "FakeGitea"]
