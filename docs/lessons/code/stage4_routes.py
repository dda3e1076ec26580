"""Stage 4: SO_BROADCAST, SO_DONTROUTE and SO_BINDTODEVICE. Where octets may go and come from."""

from errno import errorcode
from socket import (
    AF_INET,
    SO_BINDTODEVICE,
    SO_BROADCAST,
    SO_DONTROUTE,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    if_nameindex,
    socket,
)

FAR_AWAY = ("203.0.113.1", 9)  # an address for examples; connect() of UDP sends nothing


def broadcast() -> None:
    """May this socket send to everybody?"""
    with socket(AF_INET, SOCK_DGRAM) as receiver, socket(AF_INET, SOCK_DGRAM) as sender:
        receiver.bind(("", 0))
        receiver.settimeout(5)
        everybody = ("127.255.255.255", receiver.getsockname()[1])  # in the network of loopback
        for value in (0, 1):
            sender.setsockopt(SOL_SOCKET, SO_BROADCAST, value)
            try:
                sender.sendto(b"to all", everybody)
                outcome = f"received: {receiver.recv(100).decode()}"
            except OSError as error:
                outcome = errorcode.get(error.errno or 0, str(error))
            print(f"SO_BROADCAST={value}: {outcome}")


def dontroute() -> None:
    """May octets go through a router?"""
    for value in (0, 1):
        for address in (("127.0.0.1", 9), FAR_AWAY):
            with socket(AF_INET, SOCK_DGRAM) as sender:
                sender.setsockopt(SOL_SOCKET, SO_DONTROUTE, value)
                outcome = errorcode.get(sender.connect_ex(address), "there is a way")
                print(f"SO_DONTROUTE={value}: to {address[0]}: {outcome}")


def reach(device: str) -> str:
    """Return whether a server that is bound to a device can be reached by way of loopback."""
    with socket(AF_INET, SOCK_STREAM) as listener, socket(AF_INET, SOCK_STREAM) as client:
        listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        try:
            listener.setsockopt(SOL_SOCKET, SO_BINDTODEVICE, device.encode())
        except PermissionError:
            return "EPERM (before Linux 5.7 this needs CAP_NET_RAW)"
        except OSError as error:
            return errorcode.get(error.errno or 0, str(error))
        listener.bind(("", 0))  # every address: it is the device that decides
        listener.listen()
        return errorcode.get(client.connect_ex(("127.0.0.1", listener.getsockname()[1])), "reached")


def bindtodevice() -> None:
    """Through which network device do connections come?"""
    print(f"SO_BINDTODEVICE=lo: {reach('lo')}")
    print(f"SO_BINDTODEVICE=nosuch0: {reach('nosuch0')}")
    others = [name for _, name in if_nameindex() if name != "lo"]
    if others:
        print(f"SO_BINDTODEVICE={others[-1]}: {reach(others[-1])}")


if __name__ == "__main__":
    broadcast()
    dontroute()
    bindtodevice()
