# SPDX-License-Identifier: Apache-2.0
"""The vastmax command as a user meets it: answers, errors, repeatability, interruption."""
import hashlib
import json
import os
import signal
import struct
import subprocess
import tempfile
import time
import unittest

TOOL = os.environ["VASTMAX_TOOL"]
SMALL = ["--data", "synthetic:600,500,4", "--dim", "8", "--epochs", "4", "--batch", "64"]


def run(*arguments, **options):
    return subprocess.run([TOOL, *arguments], capture_output=True, text=True, timeout=60, **options)


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def load(path):
    with open(path) as file:
        return json.load(file)


class Base(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def train(self, *arguments, status=0):
        result = run("train", *arguments)
        self.assertEqual(result.returncode, status, result.stderr + result.stdout)
        self.assertNotIn("\x1b", result.stderr, "a progress bar although standard error is no terminal")
        return result


class Info(Base):
    def test_text_and_json(self):
        text = run("info")
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertIn("ISA active", text.stdout)
        machine = json.loads(run("info", "--json", "--threads", "2").stdout)
        self.assertEqual(machine["threads"], 2)
        self.assertIn("scalar", machine["isa"]["usable"])
        self.assertIn(machine["isa"]["active"], machine["isa"]["compiled"])
        for key in ("cpu", "cpus", "caches", "onednn", "vastmax", "memory_bytes"):
            self.assertIn(key, machine)

    def test_isa_cap(self):
        capped = run("info", "--json", env={**os.environ, "VASTMAX_ISA": "scalar"})
        self.assertEqual(json.loads(capped.stdout)["isa"]["active"], "scalar")
        wrong = run("info", env={**os.environ, "VASTMAX_ISA": "mmx"})
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("mmx", wrong.stderr)


class Arguments(Base):
    def test_wrong_ones_are_named_with_their_value(self):
        cases = [
            (["--dim", "0"], "--dim: 0"),
            (["--dim", "many"], "--dim: many"),
            (["--lr", "-1"], "--lr: -1"),
            (["--lr", "nan"], "--lr: nan"),
            (["--temperature", "inf"], "--temperature: inf"),
            (["--score", "euclid"], "--score: euclid"),
            (["--loss", "hinge"], "--loss: hinge"),
            (["--optimizer", "sgd"], "--optimizer: sgd"),
            (["--topk", "10,0"], "--topk: 0"),
            (["--validation", "1"], "--validation: 1"),
            (["--threads", "0"], "--threads: 0"),
            (["--epochs", "1.5"], "--epochs: 1.5"),
            (["--colour", "red"], "--colour"),
        ]
        for arguments, message in cases:
            with self.subTest(arguments):
                result = self.train(*SMALL[:2], *arguments, status=2)
                self.assertIn(message, result.stderr + result.stdout)

    def test_what_cannot_be_done_is_said_before_training(self):
        cases = [
            (["--topk", "500"], "--topk: 500"),
            (["--save", "/no/such/folder/m"], "--save"),
            (["--json", "/no/such/folder/j"], "--json"),
            (["--load", "/no/such/model"], "/no/such/model"),
            (["--recommend", "9999,1"], '"9999"'),
        ]
        for arguments, message in cases:
            with self.subTest(arguments):
                result = self.train(*SMALL, *arguments, status=1)
                self.assertIn(message, result.stderr)
                self.assertNotIn("epoch 1", result.stdout)

    def test_data_errors_name_file_and_line(self):
        self.write("train.txt", "0 1 2\n1 3 x\n")
        self.write("test.txt", "0 3\n")
        result = self.train("--data", self.folder.name, status=1)
        self.assertIn("train.txt:2: ", result.stderr)
        self.assertIn('"x"', result.stderr)


class Training(Base):
    def test_report(self):
        self.train(*SMALL, "--json", self.path("j"), "--topk", "5,20", "--eval-every", "2", "--recommend", "2")
        report = load(self.path("j"))
        self.assertEqual(report["command"], "train")
        for key, value in {"dim": 8, "epochs": 4, "batch": 64, "score": "cosine", "loss": "softmax", "topk": [5, 20]}.items():
            self.assertEqual(report["settings"][key], value)
        for key in ("lr", "temperature", "weight_decay", "seed", "threads", "optimizer"):
            self.assertIn(key, report["settings"])
        self.assertIn("cpu", report["machine"])
        data = report["data"]
        self.assertEqual((data["users"], data["items"]), (600, 500))
        self.assertEqual(len(data["sha256"]), 64)
        self.assertEqual([e["epoch"] for e in report["epochs"]], [1, 2, 3, 4])
        for entry in report["epochs"]:
            self.assertGreater(entry["seconds"], 0)
            self.assertGreater(entry["loss"], 0)
            self.assertEqual("recall@20" in entry, entry["epoch"] % 2 == 0)
        self.assertLess(report["epochs"][-1]["loss"], report["epochs"][0]["loss"])
        best = max((e for e in report["epochs"] if "ndcg@20" in e), key=lambda e: e["ndcg@20"])
        self.assertEqual(report["chosen_epoch"], best["epoch"])
        self.assertEqual(report["test"]["epoch"], best["epoch"])
        for where in (report["test"], report["popularity"]["test"], report["popularity"]["validation"]):
            for key in ("recall@5", "ndcg@5", "recall@20", "ndcg@20"):
                self.assertTrue(0 <= where[key] <= 1)
        self.assertEqual(report["ended"], "all epochs")
        self.assertIn("linear_cross_entropy", report["profile"])
        self.assertAlmostEqual(sum(p["share"] for p in report["profile"].values()), 1)
        self.assertEqual(len(report["recommended"]), 2)
        for shown in report["recommended"]:
            self.assertEqual(len(shown["recommended"]), 10)
            self.assertFalse({r["item"] for r in shown["recommended"]} & set(shown["has"]))

    def test_learns_more_than_popularity(self):
        self.train("--data", "synthetic:1500,600,4", "--dim", "16", "--epochs", "20", "--eval-every", "5",
                   "--json", self.path("j"))
        report = load(self.path("j"))
        for key in ("recall@20", "ndcg@20"):
            self.assertGreater(report["test"][key], 1.2 * report["popularity"]["test"][key])

    def test_same_bytes_for_any_threads(self):
        for score in ("cosine", "dot"):
            seen = set()
            metrics = set()
            for threads in ("1", "2", "3"):
                self.train(*SMALL, "--score", score, "--threads", threads, "--save", self.path("m"), "--json", self.path("j"))
                seen.add(sha256(self.path("m")))
                report = load(self.path("j"))
                metrics.add(json.dumps([report["test"], [e["loss"] for e in report["epochs"]]]))
            self.assertEqual(len(seen), 1)
            self.assertEqual(len(metrics), 1)
        self.train(*SMALL, "--score", "dot", "--seed", "2", "--save", self.path("m"))
        self.assertNotIn(sha256(self.path("m")), seen)

    def test_save_and_load(self):
        self.train(*SMALL, "--temperature", "0.2", "--save", self.path("m"), "--json", self.path("a"))
        with open(self.path("m"), "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        self.assertEqual(header["users"]["shape"], [600, 8])
        self.assertEqual(header["items"]["dtype"], "F32")
        self.assertEqual(header["__metadata__"]["temperature"], "0.2")
        # Evaluated again, without saying what the file knows.
        same = ["--data", SMALL[1], "--epochs", "0", "--load", self.path("m")]
        self.train(*same, "--json", self.path("b"), "--save", self.path("n"))
        a, b = load(self.path("a")), load(self.path("b"))
        for key in ("recall@20", "ndcg@20", "recall@10"):
            self.assertEqual(a["test"][key], b["test"][key])
        self.assertEqual(b["settings"]["temperature"], 0.2)
        self.assertEqual(b["settings"]["dim"], 8)
        with open(self.path("m"), "rb") as m, open(self.path("n"), "rb") as n:
            self.assertEqual(m.read()[-500 * 8 * 4:], n.read()[-500 * 8 * 4:])
        for arguments, message in [
            (["--dim", "9"], "--dim is 9"),
            (["--score", "dot"], "--score is dot"),
        ]:
            self.assertIn(message, self.train(*same, *arguments, status=1).stderr)
        self.assertIn("600 users", self.train("--data", "synthetic:700,500,4", *same[2:], status=1).stderr)
        self.assertIn("other data", self.train(*same, "--split-seed", "2").stderr)

    def test_refit_and_patience(self):
        self.train(*SMALL, "--refit", "--json", self.path("j"))
        report = load(self.path("j"))
        self.assertTrue(report["test"]["refit"])
        self.assertEqual(len(report["refit"]["epochs"]), report["chosen_epoch"])
        self.train(*SMALL[:4], "--epochs", "500", "--lr", "0.3", "--patience", "3", "--json", self.path("j"))
        report = load(self.path("j"))
        self.assertEqual(report["ended"], "patience")
        self.assertEqual(len(report["epochs"]), report["chosen_epoch"] + 3)

    def test_without_validation_the_last_epoch_is_taken(self):
        self.train(*SMALL, "--validation", "0", "--json", self.path("j"))
        report = load(self.path("j"))
        self.assertEqual(report["test"]["epoch"], 4)
        self.assertEqual(report["data"]["validation"], 0)

    def test_the_test_may_stay_unread(self):
        result = self.train(*SMALL, "--no-test", "--json", self.path("j"))
        self.assertNotIn("test", load(self.path("j")))
        self.assertNotIn("test: ", result.stdout)

    def test_folder(self):
        self.write("train.txt", "".join(f"{u} {u % 7} {7 + u % 5} {12 + u % 3}\n" for u in range(40)))
        self.write("test.txt", "".join(f"{u} {15 + u % 4}\n" for u in range(0, 40, 2)))
        self.train("--data", self.folder.name, "--dim", "4", "--epochs", "2", "--topk", "3", "--json", self.path("j"))
        report = load(self.path("j"))
        self.assertEqual(report["test"]["users"], 20)
        self.assertEqual((report["data"]["users"], report["data"]["items"]), (40, 18))


class SampledLosses(Base):
    LOSSES = ["sampled_softmax", "infonce", "nce", "neg", "bpr", "ccl"]
    DATA = ["--data", "synthetic:1500,600,4", "--dim", "16", "--batch", "64"]

    def test_each_learns_more_than_popularity(self):
        for loss in self.LOSSES:
            with self.subTest(loss):
                negatives = [] if loss in ("infonce", "neg") else ["--negatives", "64"]
                self.train(*self.DATA, "--loss", loss, *negatives, "--epochs", "30", "--eval-every", "5",
                           "--json", self.path("j"))
                report = load(self.path("j"))
                self.assertLess(report["epochs"][-1]["loss"], report["epochs"][0]["loss"])
                for key in ("recall@20", "ndcg@20"):
                    self.assertGreater(report["test"][key], 1.2 * report["popularity"]["test"][key], key)

    def test_sampled_softmax_comes_near_the_exact_one(self):
        found = {}
        for loss in ("softmax", "sampled_softmax"):
            self.train(*self.DATA, "--loss", loss, "--epochs", "30", "--eval-every", "3", "--json", self.path("j"))
            found[loss] = load(self.path("j"))["test"]["ndcg@20"]
        self.assertGreater(found["sampled_softmax"], 0.9 * found["softmax"])

    def test_same_bytes_for_any_threads(self):
        cases = [["--loss", "sampled_softmax", "--sampler", sampler, "--negatives", "20"]
                 for sampler in ("uniform", "log_uniform", "unigram", "midx", "quadratic", "exact")]
        cases += [["--loss", loss] for loss in self.LOSSES]
        cases += [["--loss", "sampled_softmax", "--sampler", "in_batch", "--correction", "is", "--separate", "--keep-hits"],
                  ["--loss", "bpr", "--negatives", "30", "--unique", "--per-row", "--score", "dot"]]
        for case in cases:
            with self.subTest(case):
                seen = set()
                for threads in ("1", "3"):
                    self.train(*SMALL[:4], "--batch", "64", "--epochs", "2", *case, "--threads", threads, "--save", self.path("m"))
                    seen.add(sha256(self.path("m")))
                self.assertEqual(len(seen), 1)

    def test_settings_are_reported(self):
        self.train(*SMALL, "--loss", "sampled_softmax", "--sampler", "midx", "--negatives", "33", "--correction", "counts",
                   "--separate", "--rebuild-every", "7steps", "--json", self.path("j"))
        report = load(self.path("j"))
        for key, value in {"loss": "sampled_softmax", "sampler": "midx", "negatives": 33, "correction": "counts", "joint": False,
                           "per_row": True, "unique": False, "keep_hits": False, "rebuild_every": "7steps"}.items():
            self.assertEqual(report["settings"][key], value, key)
        self.assertIn("sampler", report["profile"])
        self.assertIn("sampled_loss", report["profile"])
        self.assertNotIn("normalise", report["profile"])
        self.train(*SMALL, "--loss", "ccl", "--margin", "0.2", "--json", self.path("j"))
        self.assertEqual(load(self.path("j"))["settings"]["margin"], 0.2)

    def test_wrong_ones_are_named_with_their_value(self):
        for arguments, message in [
            (["--loss", "bpr", "--sampler", "gauss"], "--sampler: gauss"),
            (["--loss", "bpr", "--negatives", "0"], "--negatives: 0"),
            (["--loss", "bpr", "--negatives", "some"], "--negatives: some"),
            (["--loss", "sampled_softmax", "--correction", "full"], "--correction: full"),
            (["--loss", "ccl", "--margin", "2"], "--margin: 2"),
            (["--loss", "infonce", "--joint", "--separate"], "--separate"),
            (["--loss", "ccl", "--negative-weight", "-1"], "--negative-weight: -1"),
            (["--loss", "bpr", "--sampler", "unigram", "--power", "nan"], "--power: nan"),
        ]:
            with self.subTest(arguments):
                result = self.train(*SMALL, *arguments, status=2)
                self.assertIn(message, result.stderr + result.stdout)
        for arguments, message in [
            (["--sampler", "uniform"], "--sampler: --loss softmax"),
            (["--loss", "infonce", "--sampler", "uniform"], "--sampler: uniform"),
            (["--loss", "infonce", "--negatives", "9"], "--negatives: 9"),
            (["--loss", "bpr", "--correction", "is"], "--correction: is"),
            (["--loss", "bpr", "--joint"], "--joint"),
            (["--loss", "bpr", "--margin", "0.3"], "--margin"),
            (["--loss", "ccl", "--score", "dot"], "--score is dot"),
            (["--loss", "bpr", "--unique", "--negatives", "501"], "--negatives: 501"),
            (["--loss", "bpr", "--rebuild-every", "2"], "--rebuild-every"),
            (["--loss", "bpr", "--sampler", "midx", "--rebuild-every", "2weeks"], "--rebuild-every: 2weeks"),
        ]:
            with self.subTest(arguments):
                result = self.train(*SMALL, *arguments, status=1)
                self.assertIn(message, result.stderr)
                self.assertNotIn("epoch 1", result.stdout)

    def test_save_load_and_interruption(self):
        loss = ["--loss", "sampled_softmax", "--negatives", "50"]
        self.train(*SMALL, *loss, "--save", self.path("m"), "--json", self.path("a"))
        self.train("--data", SMALL[1], "--epochs", "0", "--load", self.path("m"), "--json", self.path("b"))
        self.assertEqual(load(self.path("a"))["test"]["ndcg@20"], load(self.path("b"))["test"]["ndcg@20"])
        os.remove(self.path("a"))
        process = subprocess.Popen([TOOL, "train", *SMALL[:4], *loss, "--epochs", "100000", "--json", self.path("a")],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.time() + 30
        while time.time() < deadline and not os.path.exists(self.path("a")):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(load(self.path("a"))["ended"], "interrupted")


class Interruption(Base):
    def test_files_are_whole_and_the_end_is_clean(self):
        for kind in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen(
                [TOOL, "train", *SMALL[:4], "--epochs", "100000", "--save", self.path("m"), "--json", self.path("j")],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            deadline = time.time() + 30
            while time.time() < deadline and not (os.path.exists(self.path("j")) and len(load(self.path("j"))["epochs"]) > 1):
                time.sleep(0.05)
            process.send_signal(kind)
            _, errors = process.communicate(timeout=30)
            self.assertEqual(process.returncode, 130, errors)
            self.assertIn("interrupted", errors)
            report = load(self.path("j"))
            self.assertEqual(report["ended"], "interrupted")
            self.assertNotIn("test", report)
            self.assertGreater(len(report["epochs"]), 1)
            self.train("--data", SMALL[1], "--epochs", "0", "--load", self.path("m"))
            self.assertEqual(sorted(os.listdir(self.folder.name)), ["j", "m"])
            os.remove(self.path("j"))


if __name__ == "__main__":
    unittest.main()
