"""Which certificate answers to which name, and whether it is still the one on the disk.

Floor: server. A name is looked up in a dict. The files are looked at every few seconds, in a
thread, and read again when they have changed; who connects from then on gets the new certificate,
and connections that are open go on with the old. A new one that is no good changes nothing.
"""

from collections.abc import Callable, Sequence
from ssl import SSLContext
from time import time
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from .disk import Disk
from .key_pair import BadCertificate, KeyPair, Loaded, Stamp, date_of, load, stamp_of

__all__ = ["AHEAD", "CHECK", "DAY", "Certificates"]

CHECK = 5.0
"""Seconds between two looks at the files."""
DAY = 24 * 3600.0
"""Seconds after which everything is read again, though nothing has changed: the keys of session
tickets, which are made anew with it, could decrypt what was sent on resumed connections of TLS 1.2,
and should not last. As often a warning is repeated."""
AHEAD = 14 * DAY
"""Seconds before its end that a certificate is warned of; or a third of its life, if that is less:
there are certificates for six days."""

_log = Logger()


class Certificates:
    """The certificates in ``pairs``; the first is for whoever names no other.

    Of two for the same name the first counts. Files are read while this is made, and later by
    ``disk``, every ``check`` seconds if they have changed. ``clock`` gives epoch seconds. Raises
    `BadCertificate` if one of them can't be used.
    """

    def __init__(
        self,
        pairs: Sequence[KeyPair],
        *,
        reactor: Any,  # IReactorTime
        disk: Disk,
        check: float = CHECK,
        clock: Callable[[], float] = time,
    ):
        self._reactor = reactor
        self._disk = disk
        self.now = clock
        self._every = check
        self._lock = DeferredLock()
        self._call: IDelayedCall | None = None
        self._watching = False
        self._warned: dict[KeyPair, float] = {}
        self._told: frozenset[str] = frozenset()  # what is odd, and has been logged
        self._read_at = clock()
        pairs = list(dict.fromkeys(pairs))
        self._stamps = {pair: stamp_of(pair) for pair in pairs}
        self._loaded = {pair: load(pair, self._read_at) for pair in pairs}
        for each in self._loaded.values():
            _log.info("{certificate}", certificate=_description(each))
        self._arrange()
        self._warn_of_expiry()

    # For connections.

    def context(self, name: bytes) -> SSLContext:
        """Return the context for the server called ``name``, which may be empty."""
        name = name.lower()
        context = self._contexts.get(name)
        if context is None:
            parent = name.partition(b".")[2]
            context = self._contexts.get(b"*." + parent, self._default)
        return context

    # For metrics.

    @property
    def expires_soonest(self) -> float:
        """When the first of them expires, in seconds since the epoch."""
        return min(each.not_after for each in self._loaded.values())

    # Renewal.

    def watch(self) -> None:
        """Look at the files from now on."""
        if not self._watching:
            self._watching = True
            self._call_later()

    def stop(self) -> None:
        """Look no more. What a thread is at is finished, and its result used."""
        self._watching = False
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def reload(self) -> Deferred[None]:
        """Return a Deferred that fires when all files have been read again, changed or not.

        It does not fail: what can't be used is logged, and the one before stays.
        """
        reloaded: Deferred[None] = self._lock.run(self._renew, everything=True)
        return reloaded

    def _call_later(self) -> None:
        if self._watching:
            self._call = self._reactor.callLater(self._every, self._check)

    def _check(self) -> None:
        self._call = None
        everything = not 0 <= self.now() - self._read_at < DAY
        checked = self._lock.run(self._renew, everything)
        _ = checked.addErrback(_failed).addBoth(lambda _: self._call_later())

    async def _renew(self, everything: bool) -> None:
        now = self.now()
        stamps = {} if everything else self._stamps
        if everything:
            self._read_at = now
        changes = await self._disk.run(_look, list(self._loaded), stamps, now)
        for pair, (stamp, result) in changes.items():
            self._stamps[pair] = stamp
            self._take(pair, result)
        if changes:
            self._arrange()
        self._warn_of_expiry()

    def _take(self, pair: KeyPair, result: Loaded | BadCertificate) -> None:
        if isinstance(result, BadCertificate):
            _log.error(
                "the certificate in use stays, as the new one can't be used: {reason}",
                reason=result,
            )
            return
        old = self._loaded[pair]
        self._loaded[pair] = result
        if (result.names, result.not_before, result.not_after) != (
            *(old.names, old.not_before, old.not_after),
        ):
            self._warned.pop(pair, None)
            _log.info("renewed: {certificate}", certificate=_description(result))

    def _arrange(self) -> None:
        """Make the table of names."""
        default, *others = self._loaded.values()
        owners: dict[bytes, Loaded] = {}
        odd: list[str] = []
        for each in (default, *others):
            for name in each.names:
                owner = owners.setdefault(name, each)
                if owner is not each:
                    odd.append(
                        f"{each.pair.certificate} and {owner.pair.certificate} are both for "
                        f"{name.decode()}; {owner.pair.certificate} is shown"
                    )
        odd += [
            f"{each.pair.certificate} is for no name, and never shown, as it is not the first"
            for each in others
            if not each.names
        ]
        self._default = default.context
        self._contexts = {name: owner.context for name, owner in owners.items()}
        for what in odd:
            if what not in self._told:
                _log.warn("{what}", what=what)
        self._told = frozenset(odd)

    def _warn_of_expiry(self) -> None:
        now = self.now()
        for pair, each in self._loaded.items():
            ahead = min(AHEAD, (each.not_after - each.not_before) / 3)
            if now < each.not_after - ahead or now - self._warned.get(pair, -DAY) < DAY:
                continue
            self._warned[pair] = now
            if now < each.not_after:
                _log.warn(
                    "{file}: the certificate expires in {days:.1f} days, on {date}",
                    file=pair.certificate,
                    days=(each.not_after - now) / DAY,
                    date=date_of(each.not_after),
                )
            else:
                _log.error(
                    "{file}: the certificate has expired on {date}; clients turn away",
                    file=pair.certificate,
                    date=date_of(each.not_after),
                )


Changes = dict[KeyPair, tuple[Stamp, Loaded | BadCertificate]]


def _look(pairs: Sequence[KeyPair], stamps: dict[KeyPair, Stamp], now: float) -> Changes:
    """Return what has become of those ``pairs`` whose stamps are others than before; blocks."""
    changes: Changes = {}
    for pair in pairs:
        stamp = stamp_of(pair)
        if stamp == stamps.get(pair):
            continue
        try:
            changes[pair] = stamp, load(pair, now)
        except BadCertificate as error:
            changes[pair] = stamp, error
        except Exception as error:  # what a parser makes of garbage; a server goes on
            changes[pair] = stamp, BadCertificate(f"{pair.certificate}: {error!r}")
    return changes


def _failed(failure: Any) -> None:
    _log.failure("an error of the server's own; the certificates stay as they are", failure)


def _description(loaded: Loaded) -> str:
    names = ", ".join(name.decode() for name in loaded.names[:5]) or "no name in DNS"
    if len(loaded.names) > 5:
        names += f" and {len(loaded.names) - 5} more"
    return (
        f"{loaded.pair.certificate}: a certificate for {names}, until {date_of(loaded.not_after)}"
    )
