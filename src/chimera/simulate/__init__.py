"""A simulated Binance in memory, pure: what both markets share (`venue`), each market (`usdm`), the way in (`door`)
and what goes wrong (`trouble`). `twin` is the whole of it.
"""
