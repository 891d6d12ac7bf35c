"""How do the answers move when the numbers do?"""
