"""The vocabulary: values and rules that every layer shares. Standard library and Pillow only; no Qt, no torch."""
