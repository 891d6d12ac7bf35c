"""What is shipped beside the code that follows from the declarations: the JSON Schema and the field reference.

In: nothing. Out: `schema()` and `fields()`. docs/fields.py writes both; the tests hold the shipped files against them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from powderkeg.reading import json_schema, reference
from powderkeg.scenario.declared import SCENARIO

SCHEMA_FILE: Final = Path(__file__).parent.parent / "scenarios" / "scenario.schema.json"
BEGIN: Final = "<!-- fields: from the declarations, by docs/fields.py -->"
END: Final = "<!-- end of fields -->"


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of scenario files, written or resolved, for editors that complete and check."""
    return json_schema(SCENARIO, "powderkeg scenario")


def fields() -> str:
    """Every field of a scenario file, as Markdown."""
    return reference(SCENARIO)


def schema_text() -> str:
    """The schema as it is shipped."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def with_fields(page: str) -> str:
    """A page with the field reference between its two marks brought up to date."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{fields()}\n{END}{after}"
