"""Draw rare histories: copies of a history that came nearer to something rare, stage by stage."""
