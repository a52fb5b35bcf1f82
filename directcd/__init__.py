"""
The `directcd` command: what a person types, and the only package that imports both sides.

Configuration is read here and nowhere else; hub and cd4sources receive values. Nothing heavy is
imported at the top of a module, so that `directcd --version` answers at once.
"""

__version__ = "0.1.0"
