"""An observed history lived through once more in another world."""
