"""Write what follows from the declared fields of a scenario: the tables in docs/scenario.md and the JSON Schema.

In: nothing. Out: both files, brought up to date. Run it after a change to powderkeg/scenario/declared.py.
"""

from pathlib import Path

from powderkeg.scenario.shipped import SCHEMA_FILE, schema_text, with_fields

PAGE = Path(__file__).parent / "scenario.md"

if __name__ == "__main__":
    PAGE.write_text(with_fields(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    print(f"{PAGE}\n{SCHEMA_FILE}")
