"""Which powderkeg is this? The one place where the number stands; CONTRIBUTING.md says what moves which part of it."""

__version__ = "0.7.0"
