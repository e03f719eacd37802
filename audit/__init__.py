"""deepvis-audit: pytest for trained vision checkpoints. Importing this loads neither torch nor pytest."""

__version__ = "0.1.0"
