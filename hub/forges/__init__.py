"""
The APIs of forges: webhooks, what they have delivered, commit statuses, and where refs stand.

Only operators' own addresses are called (`hub.sources.NAME.base_url`, `api_url`), with the token
that stands beside them: no payload and no subscriber decides where a request goes.
"""
