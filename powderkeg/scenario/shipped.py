"""What is shipped beside the code that follows from the declarations: the JSON Schema and the field reference.

In: nothing. Out: `schema()` and `fields()`. docs/fields.py writes both; the tests hold the shipped files against them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from powderkeg.reading import json_schema, reference
from powderkeg.scenario.composing import INCLUDES, OWN
from powderkeg.scenario.declared import SCENARIO

SCHEMA_FILE: Final = Path(__file__).parent.parent / "scenarios" / "scenario.schema.json"
BEGIN: Final = "<!-- fields: from the declarations, by docs/fields.py -->"
END: Final = "<!-- end of fields -->"


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of scenario files, written or resolved, for editors that complete and check."""
    whole = json_schema(SCENARIO, "powderkeg scenario")
    alone = {"$ref": whole.pop("$ref")}
    defs = whole.pop("$defs")
    return {**whole, "if": {"required": [INCLUDES]}, "then": _composed(defs["Scenario"]), "else": alone, "$defs": defs}


def _composed(scenario: dict[str, Any]) -> dict[str, Any]:
    """Of files that include others: what they add to an item may be a part of it, so items are not looked into."""
    properties = {key: part if key in OWN else {"type": "object"} for key, part in scenario["properties"].items()}
    names = {"type": "string", "minLength": 1}
    properties[INCLUDES] = {
        "description": "Names of built-in scenarios, or of files beside this one, that are taken in whole.",
        "anyOf": [names, {"type": "array", "items": names, "uniqueItems": True}],
    }
    return {
        "type": "object",
        "properties": properties,
        "required": ["powderkeg", "name", "start", INCLUDES],
        "additionalProperties": False,
    }


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
