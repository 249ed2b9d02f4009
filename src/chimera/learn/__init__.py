"""The route table from what routing has cost: proposed here, approved elsewhere, never put in force by itself.

Plain functions from values to values: the same rows give the same proposal. Nothing here runs where orders are sent.
"""
