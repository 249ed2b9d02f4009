"""Routing tried on recorded markets: what would many intents have cost, traded in this way and in that.

Every way is worked by S4's own plan (``route.plan``) and S4's own reducer (``execute.advance``); only the venue is a
small model here (``floor``), which trades against a tape and moves nothing. The same tape, intents and seed give the
same report, byte for byte. Signs: above 0 is a cost. It opens no file, knows no clock, and places nothing anywhere.
"""
