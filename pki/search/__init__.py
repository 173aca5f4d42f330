"""Find what an operator means: whatever he has in hand, in whatever form.

``terms`` reads a term, ``pasted`` reads PEM, and ``find`` looks for both in the record of the CA.
Each look uses an index, or a bounded number of the newest rows, so that it takes the same time in
any fleet. A page and the command `find` ask the same function.
"""
