"""How results come to stand on the disk: whole, together, and never in the place of what is not ours.

In: paths, and what fills them. Out: files that are whole or not there; sets of files that belong together; a lock for
folders that one process works in at a time. Nothing here knows scenarios, events or models.
"""
