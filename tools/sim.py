"""The virtual-time world from the command line (``make sim``, ``make sim-safeguards``, ``make sim-sweep``)."""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from world import campaign, seeds, sweeps  # noqa: E402  (found by the line above)
from world.plan import SCENARIOS  # noqa: E402  (found by the line above)
from world.run import CAMPAIGN, HEIRS, Options  # noqa: E402  (found by the line above)
from world.sweep import STORIES  # noqa: E402  (found by the line above)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which world")
    parser.add_argument("--count", type=int, default=1, help="so many seeds from there, over all cores")
    parser.add_argument("--off", help="the safeguard to take away")
    parser.add_argument("--scenario", choices=SCENARIOS, help="the class of worlds, instead of a drawn one")
    parser.add_argument("--verbose", action="store_true", help="with S4's log")
    parser.add_argument("--safeguards", action="store_true", help="name each safeguard and a seed that misses it")
    parser.add_argument("--sweep", action="store_true", help="kill S4 at each step of the stories")
    parser.add_argument("--long", action="store_true", help="worlds of three minutes; many of them can be resumed")
    parser.add_argument("--seeds", type=int, help="of the sweep: so many drawn worlds instead of the stories")
    parser.add_argument("--stride", type=int, default=1, help="of the sweep: at every so manieth step")
    parser.add_argument("--spot", action="store_true", help="the world of spot instead of futures'")
    parser.add_argument("--house", action="store_true", help="both markets in one process")
    parser.add_argument("--heirs", action="store_true", help="several routers share the account, in every seed")
    parser.add_argument("--net", action="store_true", help="with S4_ON_OPPOSITE=net")
    asked = parser.parse_args()
    if asked.safeguards:
        return seeds.safeguards()
    if asked.sweep and asked.seeds:
        found = sweeps.play(asked.seed, asked.seeds, spot=asked.spot, stride=asked.stride)
        print(sweeps.line(found))
        return 0 if found.good else 1
    if asked.sweep:
        return 1 if sum(len(seeds.sweep(story, stride=asked.stride).failed) for story in STORIES) else 0
    if asked.long and asked.count > 1:
        how, place = (HEIRS, campaign.HEIRS_PLACE) if asked.heirs else (CAMPAIGN, campaign.PLACE)
        totals = campaign.play(asked.seed, asked.count, options=how, place=place)
        print(campaign.line(totals))
        return 0 if totals.good else 1
    options = (CAMPAIGN if asked.long else Options()).but(scenario=asked.scenario, spot=asked.spot, nets=asked.net)
    options = options.but(house=asked.house, heirs_share=1 if asked.heirs else options.heirs_share)
    if asked.spot or asked.house:
        options = options.but(part_share=0.4, socket_share=0.2, demand_share=0.4)
    if asked.count > 1:
        return 1 if seeds.campaign(asked.seed, asked.count, asked.off, options=options).failed else 0
    return seeds.sim(asked.seed, asked.off, verbose=asked.verbose, options=options)


if __name__ == "__main__":
    sys.exit(main())
