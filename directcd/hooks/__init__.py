"""
What `directcd hook` does: webhooks registered at forges by their APIs, and proven to arrive.

A webhook is only said to work when a delivery of it has come to the hub. What forges' APIs look
like is `hub.forges`; what a person types and reads is `directcd.cli.hook`.
"""
