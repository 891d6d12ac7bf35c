"""How likely is something that plain runs would never show?"""
