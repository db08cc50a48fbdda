# SPDX-License-Identifier: Apache-2.0
"""Writes the raw layers of the bindings from the public header. scripts/gen_bindings is the way in."""
