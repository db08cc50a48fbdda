# SPDX-License-Identifier: Apache-2.0
"""One module for each library: setup(threads) -> name of its version and settings; peers(data) -> [Peer]."""

from collections import namedtuple

# run() does the work; answer() gives what Data.expected() names, of the last run.
Peer = namedtuple("Peer", "name run answer")
