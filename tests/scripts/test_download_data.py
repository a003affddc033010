"""scripts/download_data.sh against a server on this machine, which can cut connections."""

import functools
import hashlib
import http.server
import io
import os
import pathlib
import re
import subprocess
import tarfile
import tempfile
import threading
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "download_data.sh"
IDX_NAMES = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
]


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves server.files from memory, with ranges. Each name in server.cuts breaks off once."""

    def do_GET(self):
        name = self.path.lstrip("/")
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        self.server.requests.append((name, start))
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        if start >= len(content) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : self.server.cuts.pop(name, len(content))])

    def log_message(self, *_):
        pass


def archive(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class DownloadData(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "data"
        self.checksums = pathlib.Path(folder.name) / "checksums"
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.files = {name: os.urandom(5000) for name in IDX_NAMES}
        self.server.files["train_32x32.mat"] = os.urandom(300_000)
        self.server.files["test_32x32.mat"] = os.urandom(1000)
        self.server.cuts = {}
        self.server.requests = []
        thread = threading.Thread(target=functools.partial(self.server.serve_forever, 0.01))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.mirror = f"http://127.0.0.1:{self.server.server_port}/"

    def run_script(self, *arguments, mirror=None):
        self.checksums.write_text(
            "".join(
                f"{hashlib.md5(content).hexdigest()}  {name}\n"
                for name, content in self.server.files.items()
            )
        )
        options = ["--root", self.root, "--mirror", mirror or self.mirror]
        return self.call(*arguments, *options, "--checksums", self.checksums)

    def call(self, *arguments):
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        return subprocess.run(
            ["bash", SCRIPT, *arguments],
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
        )

    def assert_fails(self, result, message, code=1):
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertRegex(result.stderr, r"\Adownload_data\.sh: [^\n]*\n\Z")
        self.assertIn(message, result.stderr)

    def files(self):
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file())

    def test_fetches_the_files_to_their_folders(self):
        result = self.run_script("mnist", "fashion_mnist", "svhn")
        self.assertEqual(result.returncode, 0, result.stderr)
        expected = [f"mnist/{name}" for name in IDX_NAMES]
        expected += [f"fashion-mnist/{name}" for name in IDX_NAMES]
        expected += ["svhn/train_32x32.mat", "svhn/test_32x32.mat"]
        self.assertEqual(self.files(), sorted(expected))
        for path in expected:
            name = path.split("/")[1]
            self.assertEqual((self.root / path).read_bytes(), self.server.files[name])

    def test_second_call_makes_no_request(self):
        self.run_script("mnist")
        self.server.requests.clear()
        result = self.run_script("mnist")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.server.requests, [])

    def test_damaged_file_is_fetched_again(self):
        self.run_script("svhn")
        (self.root / "svhn/test_32x32.mat").write_bytes(b"damage")
        self.server.requests.clear()
        self.assertEqual(self.run_script("svhn").returncode, 0)
        self.assertEqual(self.server.requests, [("test_32x32.mat", 0)])

    def test_goes_on_where_the_connection_was_cut(self):
        self.server.cuts = {"train_32x32.mat": 100_000}
        result = self.run_script("svhn")
        self.assert_fails(result, "the connection broke while fetching")
        self.assertIn("what came is kept, run the same command to go on", result.stderr)
        self.assertEqual(self.files(), ["svhn/train_32x32.mat.part"])
        self.assertEqual(self.run_script("svhn").returncode, 0)
        self.assertEqual(
            self.server.requests,
            [("train_32x32.mat", 0), ("train_32x32.mat", 100_000), ("test_32x32.mat", 0)],
        )
        self.assertEqual(
            (self.root / "svhn/train_32x32.mat").read_bytes(), self.server.files["train_32x32.mat"]
        )
        self.assertEqual(self.files(), ["svhn/test_32x32.mat", "svhn/train_32x32.mat"])

    def test_whole_part_is_taken(self):
        (self.root / "svhn").mkdir(parents=True)
        (self.root / "svhn/test_32x32.mat.part").write_bytes(self.server.files["test_32x32.mat"])
        result = self.run_script("svhn")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_part_of_another_file_is_thrown_away(self):
        (self.root / "svhn").mkdir(parents=True)
        for size in (500, 2000):
            (self.root / "svhn/test_32x32.mat.part").write_bytes(b"x" * size)
            result = self.run_script("svhn")
            self.assertEqual(result.returncode, 0, result.stderr)
            (self.root / "svhn/test_32x32.mat").unlink()

    def test_wrong_checksum_leaves_nothing(self):
        result = self.call("svhn", "--root", self.root, "--mirror", self.mirror)
        self.assert_fails(result, "is not the official file (its MD5 is not e26dedcc")
        self.assertEqual(self.files(), [])

    def test_unpacks_archives_once(self):
        for name, archive_name, members in (
            ("cifar10", "cifar-10-binary.tar.gz", "cifar-10-batches-bin/test_batch.bin"),
            ("cifar100", "cifar-100-binary.tar.gz", "cifar-100-binary/test.bin"),
        ):
            self.server.files[archive_name] = archive({members: b"records"})
            for _ in range(2):
                result = self.run_script(name)
                self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual((self.root / members).read_bytes(), b"records")
            self.assertEqual(self.server.requests, [(archive_name, 0)])
            self.server.requests.clear()

    def test_archive_without_its_files_leaves_nothing_unpacked(self):
        self.server.files["cifar-10-binary.tar.gz"] = archive({"other/file": b"x"})
        result = self.run_script("cifar10")
        self.assert_fails(result, "expected cifar-10-batches-bin/test_batch.bin in it")
        self.assertEqual(self.files(), ["cifar-10-binary.tar.gz"])

    def test_missing_file_and_missing_server_are_told(self):
        del self.server.files["test_32x32.mat"]
        self.assert_fails(self.run_script("svhn"), "the server does not give")
        nobody = "http://127.0.0.1:9/"
        self.assert_fails(self.run_script("mnist", mirror=nobody), "no connection to " + nobody)

    def test_wrong_usage_exits_with_2_and_names_what_is_accepted(self):
        names = "mnist, fashion_mnist, cifar10, cifar100, svhn"
        self.assert_fails(self.call("imagenet"), f"'imagenet'; accepted are {names}", 2)
        self.assert_fails(self.call("mnist", "mnist fashion_mnist"), "unknown data set", 2)
        self.assert_fails(self.call(), f"accepted are {names}", 2)
        self.assert_fails(self.call("mnist", "--rot", "x"), "unknown option --rot", 2)
        self.assert_fails(self.call("mnist", "--root"), "--root needs a value", 2)

    def test_help_names_every_option(self):
        result = self.call("--help")
        self.assertEqual(result.returncode, 0)
        for option in ("--root", "--mirror", "--checksums", "fashion_mnist"):
            self.assertIn(option, result.stdout)


if __name__ == "__main__":
    unittest.main()
