"""powderkeg: conflict systems as executable models."""

__version__ = "0.1.0"
