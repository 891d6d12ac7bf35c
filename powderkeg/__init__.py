"""powderkeg: conflict systems as executable models."""
