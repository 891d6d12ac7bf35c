"""Reports read into events: who did what to whom, on which words that rests, and how sure it is.

`code` makes an event table of texts; `classify` says what a given source does to a given target in a sentence;
`score_coding` says how well either was done. Needs the extra `[text]`.
"""

from powderkeg.text.coder import code
from powderkeg.text.giving import Classified, classify
from powderkeg.text.scoring import Score, score_coding

__all__ = ["Classified", "Score", "classify", "code", "score_coding"]
