# SPDX-License-Identifier: Apache-2.0
# fold_shard.jl LOGITS ROWS COLS FROM TO OUT: as fold_shard.c. Columns count from 0 there, as in the C program.
using Vastmax, Mmap

length(ARGS) == 6 || (println(stderr, "usage: fold_shard.jl LOGITS ROWS COLS FROM TO OUT"); exit(2))
logits, out = ARGS[1], ARGS[6]
rows, cols, from, to = parse.(Int, ARGS[2:5])
0 <= from <= to <= cols || error("0 <= FROM <= TO <= COLS is wanted")

# Row-major ROWS x COLS is COLS x ROWS here: the classes of a row are a column.
x = open(file -> Mmap.mmap(file, Matrix{Float32}, (cols, rows)), logits)
states = fold!([LseState() for _ in 1:rows], view(x, from+1:to, :); offset=from)
write(out, states)
