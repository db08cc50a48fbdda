// SPDX-License-Identifier: Apache-2.0
//! One shard of a fold that several processes share.
//!
//! `fold_shard LOGITS ROWS COLS FROM TO OUT`: LOGITS holds ROWS x COLS little-endian f32; columns [FROM, TO) of each row are
//! folded, and the states written to OUT, 96 plain bytes a row. Shards cut at multiples of 4096 columns merge, in any order and any
//! language, to the bytes of one fold of the whole rows.
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::process::ExitCode;
use vastmax::{Call, LseOptions, LseState, MatrixRef};

type Failure = Box<dyn std::error::Error>;

/// Columns [from, to) of each row, one row behind the other.
fn read_shard(path: &str, rows: usize, cols: usize, from: usize, to: usize) -> Result<Vec<f32>, Failure> {
    let mut file = File::open(path)?;
    let wanted = rows.checked_mul(cols).and_then(|n| n.checked_mul(4)).ok_or("ROWS x COLS is too large")?;
    let found = file.metadata()?.len();
    if found != wanted as u64 {
        return Err(format!("{path} has {found} bytes, but {rows} x {cols} f32 are {wanted}").into());
    }
    let mut bytes = vec![0u8; (to - from) * 4];
    let mut shard = Vec::with_capacity(rows * (to - from));
    for row in 0..rows {
        file.seek(SeekFrom::Start(((row * cols + from) * 4) as u64))?;
        file.read_exact(&mut bytes)?;
        shard.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
    }
    Ok(shard)
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let [logits, rows, cols, from, to, out] = arguments else {
        return Err("usage: fold_shard LOGITS ROWS COLS FROM TO OUT".into());
    };
    let number = |name: &str, text: &str| -> Result<usize, Failure> {
        text.parse().map_err(|_| format!("{name} is {text}, but must be a number of at least 0").into())
    };
    let (rows, cols) = (number("ROWS", rows)?, number("COLS", cols)?);
    let (from, to) = (number("FROM", from)?, number("TO", to)?);
    if from > to || to > cols {
        return Err(format!("FROM is {from} and TO {to}, but 0 <= FROM <= TO <= {cols} must hold").into());
    }
    let shard = read_shard(logits, rows, cols, from, to)?;
    let mut states = vec![LseState::default(); rows];
    let x = MatrixRef::new(&shard, rows, to - from)?;
    Call::new().lse_fold(x, from, &mut states, &LseOptions::new())?;
    let bytes: Vec<u8> = states.iter().flat_map(LseState::to_bytes).collect();
    fs::write(out, bytes)?;
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fold_shard: {error}");
            ExitCode::FAILURE
        }
    }
}
