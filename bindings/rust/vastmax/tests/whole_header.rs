// SPDX-License-Identifier: Apache-2.0
//! The safe layer calls every function of the header.
use std::path::Path;

#[test]
fn every_function_is_called() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let raw = std::fs::read_to_string(here.join("../vastmax-sys/src/raw.rs")).unwrap();
    let mut safe = String::new();
    for file in std::fs::read_dir(here.join("src")).unwrap() {
        safe += &std::fs::read_to_string(file.unwrap().path()).unwrap();
    }
    let functions: Vec<&str> = raw
        .lines()
        .filter_map(|line| line.strip_prefix("    pub fn vmx_"))
        .map(|rest| rest.split('(').next().unwrap())
        .collect();
    assert!(functions.len() > 60, "only {} functions were read", functions.len());
    // What fills structs with their defaults stands in constants here; a test of vastmax-sys holds them to it.
    let missing: Vec<&&str> = functions
        .iter()
        .filter(|name| !raw.contains(&format!("impl vmx_{} {{", name.trim_end_matches("_init"))))
        .filter(|name| !safe.contains(&format!("sys::vmx_{name}(")))
        .collect();
    assert!(missing.is_empty(), "not called: {missing:?}");
}
