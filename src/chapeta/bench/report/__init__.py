"""The report: one HTML file that opens offline and shows what was measured, from the verdict down to the settings.

`ReportData` is what the stage stores, `render` turns it into the page. Pictures are inline SVG made by plain functions.
"""

from __future__ import annotations

from chapeta.bench.report.data import (
    Confusion,
    CurvePoint,
    FieldAccuracy,
    FlippedItem,
    GeneralGroup,
    GeneralSuite,
    LearningCurve,
    ReportData,
)
from chapeta.bench.report.render import render

__all__ = [
    "Confusion",
    "CurvePoint",
    "FieldAccuracy",
    "FlippedItem",
    "GeneralGroup",
    "GeneralSuite",
    "LearningCurve",
    "ReportData",
    "render",
]
