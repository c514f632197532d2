"""What agent and collector both speak: messages, metrics, tokens. No I/O."""

__version__ = "0.1.0"
