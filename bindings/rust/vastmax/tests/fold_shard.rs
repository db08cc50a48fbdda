// SPDX-License-Identifier: Apache-2.0
//! The example fold_shard: its states merge to those of the whole rows, and its errors are told.
use std::path::PathBuf;
use std::process::{Command, Output};
use vastmax::{BLOCK, Call, LseOptions, LseState, MatrixRef, lse_merge};

/// Cargo builds the examples before it runs the tests, beside their folder.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples/fold_shard")
}

fn run(arguments: &[&str]) -> Output {
    Command::new(example()).args(arguments).output().expect("the example runs")
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vastmax-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn shards_of_a_file_merge_to_the_whole() {
    let (rows, cols) = (3, 3 * BLOCK + 99);
    let mut scores: Vec<f32> = (0..rows * cols).map(|i| (i * 7919 % 10007) as f32 / 500.0).collect();
    scores[5] = f32::NEG_INFINITY;
    scores[cols + 9] = f32::NAN;
    let folder = Folder::new("fold_shard");
    let logits = folder.file("logits");
    std::fs::write(&logits, scores.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()).unwrap();

    let mut merged = vec![LseState::default(); rows];
    for (from, to) in [(2 * BLOCK, cols), (0, BLOCK), (BLOCK, 2 * BLOCK), (cols, cols)] {
        let out = folder.file("states");
        let done =
            run(&[&logits, &rows.to_string(), &cols.to_string(), &from.to_string(), &to.to_string(), &out]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let bytes = std::fs::read(&out).unwrap();
        assert_eq!(bytes.len(), rows * 96);
        let states: Vec<LseState> =
            bytes.chunks_exact(96).map(|b| LseState::from_bytes(b.try_into().unwrap())).collect();
        lse_merge(&mut merged, &states).unwrap();
    }
    let mut whole = vec![LseState::default(); rows];
    let x = MatrixRef::new(&scores, rows, cols).unwrap();
    Call::new().lse_fold(x, 0, &mut whole, &LseOptions::new()).unwrap();
    assert_eq!(merged, whole);
}

#[test]
fn errors_are_told() {
    let folder = Folder::new("fold_shard_errors");
    let logits = folder.file("logits");
    std::fs::write(&logits, [0u8; 24]).unwrap();
    let out = folder.file("states");
    for (arguments, text) in [
        (vec!["1"], "usage: fold_shard LOGITS ROWS COLS FROM TO OUT"),
        (vec![logits.as_str(), "2", "3", "2", "1", &out], "FROM is 2 and TO 1, but 0 <= FROM <= TO <= 3"),
        (vec![logits.as_str(), "2", "3", "0", "4", &out], "FROM is 0 and TO 4"),
        (vec![logits.as_str(), "2", "4", "0", "4", &out], "has 24 bytes, but 2 x 4 f32 are 32"),
        (vec![logits.as_str(), "2", "-3", "0", "1", &out], "COLS is -3, but must be a number of at least 0"),
        (vec!["/no/such/file", "2", "3", "0", "1", &out], "No such file"),
    ] {
        let done = run(&arguments);
        let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(
            !done.status.success() && stderr.starts_with("fold_shard: ") && stderr.contains(text),
            "{stderr}"
        );
    }
    assert!(!std::path::Path::new(&out).exists());
}
