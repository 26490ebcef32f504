"""Tell everybody on the network that this host has an address from now on, by gratuitous ARP.

Neighbours ignore what follows another answer within a second, so it is said for longer than that.
"""
import fcntl
import socket
import struct
import sys
import time


def main():
    device, address = sys.argv[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        asked = fcntl.ioctl(s.fileno(), 0x8927, struct.pack("256s", device.encode()))  # SIOCGIFHWADDR
    mac, ip = asked[18:24], socket.inet_aton(address)
    everybody = b"\xff" * 6
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((device, 0))
        for _ in range(8):
            for kind in (1, 2):  # as a question and as an answer: some heed the one, some the other
                arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, kind) + mac + ip + (everybody if kind == 2 else b"\0" * 6) + ip
                s.send(everybody + mac + b"\x08\x06" + arp)
            time.sleep(0.2)


if __name__ == "__main__":
    main()
