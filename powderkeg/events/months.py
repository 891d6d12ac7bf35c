"""Which month does a word name?

In: nothing. Out: names and abbreviations of months, in small letters, and their numbers: English, German, French,
Spanish, Italian, Portuguese, Serbian (both scripts), Albanian, Russian, Ukrainian. No word names two months.
"""

from __future__ import annotations

_NAMES = (
    "january jan januar jän jänner janvier janv enero ene gennaio gen janeiro januara јануар јануара jan. janar "
    "января январь янв січня січень",
    "february feb februar févr février fevrier febrero febbraio fevereiro fev februara фебруар фебруара shkurt "
    "февраля февраль фев февр лютого лютий",
    "march mar märz maerz mär mrz mars marzo março marco mart marta март марта мар березня березень",
    "april apr avril avr abril abr aprile aprila април априла prill апреля апрель апр квітня квітень",
    "may mai mayo maggio mag maio maj maja мај маја мая май травня травень",
    "june jun juni juin junio giugno giu junho juna јун јуна јуни qershor июня июнь июн червня червень",
    "july jul juli juillet juil julio luglio lug julho jula јул јула јули korrik июля июль июл липня липень",
    "august aug août aout agosto ago avgust avgusta avg август августа gusht авг серпня серпень",
    "september sep sept septembre septiembre setiembre settembre set setembro septembar septembra септембар септембра "
    "shtator сентября сентябрь сен сент вересня вересень",
    "october oct oktober okt octobre octubre ottobre ott outubro out oktobar oktobra октобар октобра tetor "
    "октября октябрь окт жовтня жовтень",
    "november nov novembre noviembre novembro novembar novembra новембар новембра nëntor nentor ноября ноябрь ноя нояб "
    "листопада листопад",
    "december dec dezember dez décembre decembre déc diciembre dic dicembre dezembro decembar decembra децембар "
    "децембра dhjetor декабря декабрь дек грудня грудень",
)

MONTHS = {name.rstrip("."): number for number, names in enumerate(_NAMES, 1) for name in names.split()}
