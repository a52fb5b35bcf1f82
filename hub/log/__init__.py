"""The durable, ordered memory of the hub: one protocol (base), one file an engine."""
