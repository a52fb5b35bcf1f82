"""
What git has: addresses and credentials, mirrors, tips of refs, build trees.

The only place that runs git or speaks its protocol. What is built of it is not its business.
"""
