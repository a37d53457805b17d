"""The vocabulary: values and rules that every layer shares. Standard library and Pillow only; knows no folder, no Qt, no torch."""
