"""One module per claim: ``prove()`` measures it here and now and says whether it stands (``tools/proof.py``)."""
