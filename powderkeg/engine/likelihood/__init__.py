"""How likely is a record: exact times and days, with facts told or filtered, and plain regressions."""
