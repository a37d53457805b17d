"""Widgets. They render studio values and hold no state of their own; never import store or engine."""
