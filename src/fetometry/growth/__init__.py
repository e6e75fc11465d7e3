"""Stage 4: sizes in millimetres → gestational age, weight, place on growth charts.

>>> from fetometry.growth import Dates, Size, assess, parse_ga
>>> sizes = [Size("HC", 175.0), Size("AC", 150.0), Size("FL", 32.0)]
>>> growth = assess(sizes, Dates(ga_days=parse_ga("20w0d")))

Charts and formulas are data in `tables/`; `charts()` lists them, `catalogue()` holds them, and a
site adds its own by a TOML and a CSV. numpy only.
"""

from fetometry.growth.ages import Dates, age_of, parse_ga
from fetometry.growth.assessing import assess
from fetometry.growth.chart import Chart, ChartPoint, Dip, Placed
from fetometry.growth.conventions import convert_bpd
from fetometry.growth.exams import Velocity, given_sizes, sizes_of, velocities, with_refused
from fetometry.growth.formula import Evaluated, Formula
from fetometry.growth.nouns import (
    Age,
    CentileCurves,
    Growth,
    Placement,
    Ratio,
    Refused,
    Size,
    Weight,
    centile_text,
    ga_text,
)
from fetometry.growth.profile import Profile, read_profile
from fetometry.growth.reading import Catalogue, catalogue, charts
from fetometry.growth.redating import Redating, redate
from fetometry.growth.refusals import ChartError, GrowthError, Reason
from fetometry.growth.table import BadRow, TableReport, grow_table, parse_columns

__all__ = [
    "Age",
    "BadRow",
    "Catalogue",
    "CentileCurves",
    "Chart",
    "ChartError",
    "ChartPoint",
    "Dates",
    "Dip",
    "Evaluated",
    "Formula",
    "Growth",
    "GrowthError",
    "Placed",
    "Placement",
    "Profile",
    "Ratio",
    "Reason",
    "Redating",
    "Refused",
    "Size",
    "TableReport",
    "Velocity",
    "Weight",
    "age_of",
    "assess",
    "catalogue",
    "centile_text",
    "charts",
    "convert_bpd",
    "ga_text",
    "given_sizes",
    "grow_table",
    "parse_columns",
    "parse_ga",
    "read_profile",
    "redate",
    "sizes_of",
    "velocities",
    "with_refused",
]
