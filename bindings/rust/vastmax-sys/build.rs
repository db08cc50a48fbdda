// SPDX-License-Identifier: Apache-2.0
//! Finds an installed library by pkg-config, or compiles the sources by CMake.
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=DOCS_RS");
    if env::var_os("DOCS_RS").is_some() {
        return; // documentation links nothing
    }
    if let Err(why) = from_pkg_config() {
        eprintln!("{why}"); // shown if the build from the sources fails
        from_sources(&why);
    }
}

fn from_pkg_config() -> Result<(), String> {
    // Before 1.0 a minor version may change the ABI.
    let part = |name: &str| -> u32 { env::var(name).unwrap().parse().unwrap() };
    let (major, minor) = (part("CARGO_PKG_VERSION_MAJOR"), part("CARGO_PKG_VERSION_MINOR"));
    let next = if major == 0 { format!("0.{}", minor + 1) } else { format!("{}.0", major + 1) };
    let lowest = format!("{major}.{minor}");
    // VASTMAX_NO_PKG_CONFIG and VASTMAX_STATIC are read in there.
    let range = lowest.as_str()..next.as_str();
    let library =
        pkg_config::Config::new().range_version(range).probe("vastmax").map_err(|error| error.to_string())?;
    for include in &library.include_paths {
        println!("cargo:include={}", include.display());
    }
    Ok(())
}

/// In a published crate the sources are in vendor/, in the repository three folders up.
fn sources(why: &str) -> PathBuf {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap());
    let places = [here.join("vendor"), here.join("../../..")];
    for place in &places {
        if place.join("include/vastmax/vastmax.h").exists() && place.join("CMakeLists.txt").exists() {
            return place.clone();
        }
    }
    panic!(
        "pkg-config gives no vastmax of this version, and its sources are neither in {} nor in {}:\n{why}",
        places[0].display(),
        places[1].display()
    );
}

fn from_sources(why: &str) {
    let source = sources(why);
    for part in ["CMakeLists.txt", "cmake", "include", "capi", "src"] {
        println!("cargo:rerun-if-changed={}", source.join(part).display());
    }
    let onednn = env::var_os("CARGO_FEATURE_ONEDNN").is_some();
    let on = |flag: bool| if flag { "ON" } else { "OFF" };
    let mut config = cmake::Config::new(&source);
    // The set-up script installs Ninja; CMake's own default is make.
    if env::var_os("CMAKE_GENERATOR").is_none() && !runs("make") && runs("ninja") {
        config.generator("Ninja");
    }
    let prefix = config
        .profile("Release") // the kernels are of no use without optimisation, whatever the crate's own profile
        .define("VMX_BUILD_SHARED", "OFF")
        .define("VMX_BUILD_STATIC", "ON")
        .define("VMX_BUILD_TOOLS", "OFF")
        .define("VMX_BUILD_TESTS", "OFF")
        .define("VMX_BUILD_BENCH", "OFF")
        .define("VMX_INSTALL", "ON")
        .define("VMX_WITH_ONEDNN", on(onednn))
        .define("CMAKE_INSTALL_LIBDIR", "lib")
        .build();
    println!("cargo:rustc-link-search=native={}", prefix.join("lib").display());
    println!("cargo:rustc-link-lib=static=vastmax");
    if onednn {
        if let Some(folder) = folder_of_onednn(&prefix.join("build/CMakeCache.txt")) {
            println!("cargo:rustc-link-search=native={folder}");
        }
        println!("cargo:rustc-link-lib=dnnl");
    }
    let runtime =
        if env::var("CARGO_CFG_TARGET_VENDOR").as_deref() == Ok("apple") { "c++" } else { "stdc++" };
    println!("cargo:rustc-link-lib={runtime}");
    println!("cargo:root={}", prefix.display());
    println!("cargo:include={}", prefix.join("include").display());
}

fn runs(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Where CMake found it.
fn folder_of_onednn(cache: &Path) -> Option<String> {
    let text = fs::read_to_string(cache).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("OneDNN_LIBRARY:FILEPATH="))?;
    Some(Path::new(line).parent()?.display().to_string())
}
