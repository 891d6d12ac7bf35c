"""The page that runs: one HTML file that holds a model and the engine, and needs nothing else.

`module` is the engine compiled for browsers, `bundle` a model as the page reads it, `page` puts the file together.
"""
