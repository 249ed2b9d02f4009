"""Money of one owner between the two markets, and what a key may do: the few ``/sapi`` calls the twin answers."""
