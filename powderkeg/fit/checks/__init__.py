"""Could these events have come from the fitted model?"""
