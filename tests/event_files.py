"""Event files that tests write: rows in each format, right and wrong, none of them from real data."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

ICEWS = (
    "Event ID", "Event Date", "Source Name", "Source Sectors", "Source Country", "Event Text", "CAMEO Code",
    "Intensity", "Target Name", "Target Sectors", "Target Country", "Story ID", "Sentence Number", "Publisher", "City",
    "District", "Province", "Country", "Latitude", "Longitude",
)  # fmt: skip
POLECAT = (
    "Event ID\tEvent Date\tEvent Type\tEvent Mode\tIntensity\tQuad Code\tContexts\tActor Name\tActor Country\tActor COW"
    "\tPrimary Actor Sector\tActor Sectors\tActor Title\tActor Name Raw\tWikipedia Actor ID\tRecipient Name"
    "\tRecipient Country\tRecipient COW\tPrimary Recipient Sector\tRecipient Sectors\tRecipient Title"
    "\tRecipient Name Raw\tWikipedia Recipient ID\tPlacename\tCity\tDistrict\tProvince\tCountry\tLatitude\tLongitude"
    "\tGeoNames ID\tRaw Placename\tFeature Type\tSource\tPublication Date\tStory People\tStory Organizations"
    "\tStory Locations\tLanguage\tVersion"
)
ACLED = (
    "event_id_cnty,event_date,year,time_precision,disorder_type,event_type,sub_event_type,actor1,assoc_actor_1,inter1,"
    "actor2,assoc_actor_2,inter2,interaction,civilian_targeting,iso,region,country,admin1,admin2,admin3,location,"
    "latitude,longitude,geo_precision,source,source_scale,notes,fatalities,tags,timestamp"
)
UCDP = (
    "id,relid,year,active_year,type_of_violence,conflict_name,side_a,side_b,source_article,date_prec,date_start,date_end,"
    "deaths_a,deaths_b,best,high,low"
)


def icews_row(
    number: int = 1, day: str = "2018-06-01", source: str = "Police (Aland)", code: str = "173",
    target: str = "Protester (Bland)", sectors: str = "Police,Government", country: str = "Aland",
) -> list[str]:  # fmt: skip
    return [
        str(number), day, source, sectors, country, "some text", code, "-5.0", target, "Social", "Bland", "9", "1",
        "A Paper", "Town", "NA", "NA", "Aland", "1.5", "2.5",
    ]  # fmt: skip


def icews(rows: Sequence[Sequence[str]], header: Sequence[str] = ICEWS) -> str:
    return "".join("\t".join(row) + "\n" for row in [header, *rows])


def gdelt_row(
    number: int = 1, day: str = "20170701", source: str = "SRBGOV", target: str = "KSV", code: str = "138",
    width: int = 61, added: str = "20170701121500", name: str = "BELGRADE",
) -> list[str]:  # fmt: skip
    row = [""] * width
    row[0], row[1], row[5], row[6], row[7], row[12] = str(number), day, source, name, source[:3], source[3:]
    row[15], row[16], row[17], row[26], row[30], row[31] = target, "SOMEBODY", target[:3], code, "-7.0", "4"
    row[59 if width == 61 else 56] = added if width == 61 else added[:8]
    if width > 57:
        row[width - 1] = f"http://paper.example/{number}"
    return row


def gdelt(rows: Sequence[Sequence[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def polecat_row(
    number: int = 1, day: str = "2022-12-10", kind: str = "PROTEST", mode: str = "obstruct", source: str = "Protesters",
    target: str = "Kosovo",
) -> list[str]:  # fmt: skip
    row = ["None"] * 40
    row[0], row[1], row[2], row[3], row[4], row[5] = f"2022-{number}_x", day, kind, mode, "-6.6", "MATERIAL CONFLICT"
    row[7], row[8], row[10], row[13] = source, "XKX", "CVL", source.upper()
    row[15], row[16], row[18], row[34], row[39] = target, "XKX", "GOV", day, "NGEC"
    return row


def polecat(rows: Sequence[Sequence[str]], header: str = POLECAT) -> str:
    return header + "\n" + "".join("\t".join(row) + "\n" for row in rows)


def acled_row(
    number: int = 1, day: str = "2023-05-29", kind: str = "Riots", finer: str = "Mob violence",
    source: str = "Rioters (Kosovo)", target: str = "NATO", notes: str = 'crowd, and "shields"', deaths: str = "0",
    precision: str = "1",
) -> list[str]:  # fmt: skip
    row = [""] * 31
    row[0], row[1], row[2], row[3], row[5], row[6] = f"KSV{number}", day, day[-4:], precision, kind, finer
    row[7], row[10], row[17], row[27], row[28] = source, target, "Kosovo", notes, deaths
    return row


def ucdp_row(
    number: int = 1, first: str = "1999-03-11", last: str = "1999-03-11", kind: str = "1", deaths: str = "3",
    article: str = 'Reuters, "a headline"\nsecond line',
) -> list[str]:  # fmt: skip
    return [
        str(number), "X", first[:4], "1", kind, "A: B", "Government of A", "Rebels, united", article, "1", first, last,
        "1", "2", deaths, "4", "2",
    ]  # fmt: skip


def comma(header: str, rows: Sequence[Sequence[str]], separator: str = ",") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerow(header.split(","))
    writer.writerows(rows)
    return out.getvalue()


def acled(rows: Sequence[Sequence[str]], separator: str = ",") -> str:
    return comma(ACLED, rows, separator)


def ucdp(rows: Sequence[Sequence[str]]) -> str:
    return comma(UCDP, rows)


def keds(rows: Sequence[Sequence[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)
