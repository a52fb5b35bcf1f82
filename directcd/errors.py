"""What is wrong with what a person has configured."""


class ConfigError(Exception):
    """The configuration is wrong; the message says where and what to write instead."""
