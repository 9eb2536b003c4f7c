"""How a static program finds hosts. In the image there is no C library that it could load."""

import http.server
import shutil
import socketserver
import struct
import subprocess
import tempfile
import threading
from pathlib import Path

from harness import check, in_root, program, run


class Names(socketserver.BaseRequestHandler):
    """A name server that knows one name, `kong.internal`, and its IPv4 address."""

    def handle(self):
        query, socket = self.request
        end = query.index(b"\0", 12) + 5
        question = query[12:end]
        known = question.startswith(b"\x04kong\x08internal\0")
        answers = known and question[-4:-2] == b"\0\x01"
        flags = 0x8180 if known else 0x8183  # no such name
        answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1])
        header = query[:2] + struct.pack(">HHHHH", flags, 1, answers, 0, 0)
        socket.sendto(header + question + answer * answers, self.client_address)


class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"kong_up 1\n")

    def log_message(self, *_):
        pass


# A module for names of hosts, made for another C library: it crashes a process that loads it.
TRAP = "__attribute__((constructor)) static void loaded(void) { __builtin_trap(); }"
# What /etc/nsswitch.conf can say. Modules that are not there are skipped.
SWITCHES = [
    None,
    "hosts: files dns\n",
    "hosts: files mymachines mdns4_minimal [NOTFOUND=return] resolve myhostname dns\n",
    "hosts: files trap dns\n",
]


@check
def a_static_program_finds_hosts():
    with (
        tempfile.TemporaryDirectory(prefix="crossfade-") as folder,
        socketserver.UDPServer(("127.0.0.1", 53), Names) as names,
        http.server.ThreadingHTTPServer(("127.0.0.1", 8100), Metrics) as target,
    ):
        servers = [names, target]
        for server in servers:
            threading.Thread(target=server.serve_forever).start()
        try:
            root = Path(folder)
            shutil.copy(program(), root / "crossfade")
            (root / "etc").mkdir()
            (root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
            (root / "etc/hosts").write_text("127.0.0.1 from-the-file\n")
            trap = root / "lib/libnss_trap.so.2"
            trap.parent.mkdir()
            compiler = ["cc", "-shared", "-fPIC", "-nostdlib", "-x", "c", "-o", trap, "-"]
            subprocess.run(compiler, input=TRAP, text=True, check=True)
            for switch in SWITCHES:
                if switch:
                    (root / "etc/nsswitch.conf").write_text(switch)
                for host in ("kong.internal", "from-the-file", "127.0.0.1"):
                    assert rewritten(root, host) == "kong_up 1\n", (switch, host)
                message = rewritten(root, "unknown.internal", code=2)
                assert "unknown.internal" in message, message
        finally:
            for server in servers:
                server.shutdown()


def rewritten(root, host, code=0):
    url = f"http://{host}:8100/metrics"
    return run("/crossfade", "rewrite", "--emit=old", url, code=code, **in_root(root))
