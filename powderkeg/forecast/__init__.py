"""What may happen next, how sure that is, and how often such words were right.

In: a scenario or a fit, and what was seen. Out: a `Forecast`; files that hold it; scores when the days have come.
"""

from powderkeg.forecast.forecasting import forecast
from powderkeg.forecast.result import Forecast

__all__ = ["Forecast", "forecast"]
