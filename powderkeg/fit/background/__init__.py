"""Which course the background took: candidates, borders of epochs, the choice among them."""
