"""Chimera: between a trading strategy and an exchange.

Importing the package arms the float trap: building a ``Decimal`` from a ``float``, or ordering the two,
raises ``decimal.FloatOperation`` in every thread. ``==`` between them passes silently; that one is the reader's to see.
"""

import decimal

decimal.DefaultContext.traps[decimal.FloatOperation] = True
decimal.DefaultContext.prec = 34  # IEEE 754 decimal128: more than any price x quantity on a venue needs
decimal.setcontext(decimal.Context())
