"""What both markets of the simulated exchange share: the visible book, orders and their queue, matching, the audit."""
