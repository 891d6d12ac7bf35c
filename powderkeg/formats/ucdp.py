"""UCDP Georeferenced Event Dataset and its Candidate releases: any version, also the ten letters of a shapefile.

Candidate 24.0.1 was published without a header: its 49 columns are known by their number. In state-based conflict
(type 1) side A is always the government, in non-state conflict (type 2) the order says nothing: neither tells
who acted. In one-sided violence (type 3) side A killed, side B are the civilians. Ids are numbers within a release.
"""

from powderkeg.formats.declared import IN_ITS_FILE, Bare, Format

COLUMNS = (
    "id", "relid", "year", "active_year", "code_status", "type_of_violence", "conflict_dset_id", "conflict_new_id",
    "conflict_name", "dyad_dset_id", "dyad_new_id", "dyad_name", "side_a_dset_id", "side_a_new_id", "side_a",
    "side_b_dset_id", "side_b_new_id", "side_b", "number_of_sources", "source_article", "source_office", "source_date",
    "source_headline", "source_original", "where_prec", "where_coordinates", "where_description", "adm_1", "adm_2",
    "latitude", "longitude", "geom_wkt", "priogrid_gid", "country", "country_id", "region", "event_clarity",
    "date_prec", "date_start", "date_end", "deaths_a", "deaths_b", "deaths_civilians", "deaths_unknown", "best", "high",
    "low", "gwnoa", "gwnob",
)  # fmt: skip

FORMAT = Format(
    "ucdp",
    "UCDP Georeferenced Event Dataset",
    about="UCDP GED and Candidate, any release, with or without a header",
    known="its columns, or their number",
    sides="side_a, side_b; who acted is known of type 3 only",
    codes="type of violence",
    columns={
        "time": ("date_start",),
        "until": ("date_end",),
        "precision": ("date_prec",),
        "source": ("side_a",),
        "target": ("side_b",),
        "code": ("type_of_violence", "type_of_vi", "type_of_conflict"),
        "event_id": ("id", "event_id"),
        "deaths": ("best", "best_est"),
    },
    telling=(
        "type_of_violence", "type_of_vi", "side_a", "side_b", "date_start", "date_end", "dyad_name", "conflict_name",
        "side_a_new_id", "side_b_new_id", "dyad_new_id", "conflict_new_id", "deaths_a", "deaths_b", "deaths_civilians",
        "deaths_unknown", "where_prec", "date_prec", "event_clarity", "active_year", "priogrid_gid", "relid", "gwnoa",
        "gwnob", "code_status",
    ),
    others=(*COLUMNS, "best_est", "high_est", "low_est", "active_yea", "conflict_n", "deaths_civ", "deaths_unk",
            "event_clar", "where_coor", "source_art", "priogrid_g"),
    bare=(
        Bare("UCDP GED without a header (49 columns)", COLUMNS,
             {"type_of_violence": "[123]", "year": r"\d{4}", "date_prec": "[1-5]",
              "date_start": r"\d{4}-\d\d-\d\d.*|\d{1,2}/\d{1,2}/\d{4}.*"}, ","),
    ),
    aliases=("ged",),
    book="ucdp",
    ids={"id": IN_ITS_FILE, "event_id": IN_ITS_FILE},
    directed=frozenset({"3"}),
)  # fmt: skip
