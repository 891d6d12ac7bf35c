"""`python -m powderkeg` does what `powderkeg` does."""

from powderkeg.cli import main

main()
