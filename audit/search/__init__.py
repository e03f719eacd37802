"""Search: random settings of the ascent -> scores of their images, and four settings that complement each other.

Yosinski et al. 2015 tried 300 random combinations and chose four by eye; here numbers rank them, and a person still
looks at the sheet.
"""
