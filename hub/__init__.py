"""
The webhook notification hub: receives deliveries, remembers them, tells subscribers.

What belongs here is everything between a forge's POST and a subscriber's wake-up: the use case
(receiving), the durable order of events (log), who wants what (subscriptions), and the thin HTTP
around it (api). The hub never runs git, never builds, and does not know cd4sources.
"""
