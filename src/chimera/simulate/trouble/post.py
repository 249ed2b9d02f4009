"""The frames on their way out: lost, late, doubled, out of order, or the last of their connection.

One place for both markets and for public and user frames. Invariant: a frame that no fault touches leaves at once and
in order. Remembers only frames that are held back to leave after a later one of their channel.
"""

from collections.abc import Iterable

from chimera.simulate.door.messages import Frame
from chimera.simulate.trouble.faults import Faults, FrameFault, FrameTrouble, NoFaults
from chimera.trading.money import Millis

Channel = tuple[str, str]


class Post:
    """Asks the faults about each frame. ``struck``: what happened since it was last taken, for the audit."""

    def __init__(self) -> None:
        self.struck: list[tuple[Frame, FrameFault]] = []
        self._held: dict[Channel, tuple[Frame, FrameFault, Millis]] = {}

    def out(self, frames: Iterable[Frame], faults: Faults, now_ms: Millis) -> list[Frame]:
        """What really leaves, in place of ``frames``."""
        if type(faults) is NoFaults and not self._held:
            return list(frames)
        leaving: list[Frame] = []
        for frame in frames:
            self._keep_order(frame, leaving)
            fault = faults.on_frame(frame, now_ms)
            if fault is None:
                leaving.append(frame)
            else:
                self.struck.append((frame, fault))
                leaving += self._mangled(frame, fault, now_ms)
            self._follow(frame, leaving)
        self._overdue(now_ms, leaving)
        return leaving

    def _mangled(self, frame: Frame, fault: FrameFault, now_ms: Millis) -> list[Frame]:
        late = frame.but(delay_ms=fault.delay_ms)
        match fault.trouble:
            case FrameTrouble.DROP:
                return []
            case FrameTrouble.DELAY:
                return [late]
            case FrameTrouble.DUPLICATE:
                return [frame, late]
            case FrameTrouble.CUT:
                return [frame.but(payload=b"", ends=True)]
            case FrameTrouble.REORDER:
                if _channel(frame) in self._held:
                    return [frame]  # one is held already: this is the one that overtakes it
                self._held[_channel(frame)] = (frame, fault, Millis(now_ms + fault.delay_ms))
                return []

    def _keep_order(self, frame: Frame, leaving: list[Frame]) -> None:
        """Frames of one type keep their order, unless the fault says that they need not."""
        held = self._held.get(_channel(frame))
        if held is not None and held[0].event == frame.event and not held[1].same_type:
            del self._held[_channel(frame)]
            leaving.append(held[0])

    def _follow(self, frame: Frame, leaving: list[Frame]) -> None:
        """What was held back behind ``frame`` leaves after it."""
        held = self._held.get(_channel(frame))
        if held is not None and held[0] is not frame:
            del self._held[_channel(frame)]
            leaving.append(held[0])

    def _overdue(self, now_ms: Millis, leaving: list[Frame]) -> None:
        for channel, (frame, _, until_ms) in tuple(self._held.items()):
            if now_ms >= until_ms:
                del self._held[channel]
                leaving.append(frame)


def _channel(frame: Frame) -> Channel:
    return frame.route, frame.channel
