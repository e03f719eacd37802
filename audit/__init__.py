"""deepvis-audit: pytest for trained vision checkpoints. Importing this loads neither torch nor pytest.

PYTEST_DONT_REWRITE: the product holds no test asserts, and the command line imports it before pytest starts.
"""

__version__ = "0.1.0"
