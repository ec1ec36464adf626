"""The library behind the tools."""
