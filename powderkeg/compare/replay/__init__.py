"""Would it have happened without X?"""
