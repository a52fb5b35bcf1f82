"""
Pushes that no delivery told of: looked for at start, after outages and on a schedule.

Forges deliver once or a few times. What was missed is delivered again where the forge can do that
(GitHub), and else told by the hub itself: the refs that somebody follows are compared with what the
log has heard of them.
"""
