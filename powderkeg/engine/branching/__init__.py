"""Who set off whom: parents, forests drawn from them, and what descends from what."""
