"""
Pulls, builds, offers and runs: sources in git become a running process.

The server half follows repositories, builds new commits and offers the versions over HTTP; the
client half watches a server, downloads, starts and supervises. Here belongs all that runs git,
build commands or the delivered program. The hub is known by its wire contract alone: nothing of
`hub` or `directcd` is imported here, and of `adapters` only when two URLs name one repository.
Configuration arrives as frozen values (`settings`); reading files and variables is the command's.
"""
