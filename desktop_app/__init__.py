"""Underpaint, a native desktop studio for image-to-image."""

__version__ = "0.1.0"
