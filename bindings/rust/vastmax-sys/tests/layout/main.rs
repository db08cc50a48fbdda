// SPDX-License-Identifier: Apache-2.0
//! The structs are where the C compiler puts them, and INIT constants are what the library's own functions fill in.
use std::mem::{MaybeUninit, align_of, offset_of, size_of};
use vastmax_sys::*;

type Init = Box<dyn Fn(&mut [u8]) -> vmx_status>;

fn size_of_result<S, F>(_: fn(&S) -> F) -> usize {
    size_of::<F>()
}

fn init<T: Copy + 'static>(
    name: &'static str,
    constant: T,
    function: unsafe extern "C" fn(*mut T, usize) -> vmx_status,
) -> (&'static str, Vec<u8>, Init) {
    let mut bytes = vec![0u8; size_of::<T>()];
    // SAFETY: the structs have no padding (a test), so that every byte of one is initialised.
    unsafe { std::ptr::copy_nonoverlapping((&constant as *const T).cast(), bytes.as_mut_ptr(), bytes.len()) };
    let call = move |memory: &mut [u8]| {
        assert_eq!(memory.len(), size_of::<T>());
        let mut aligned = MaybeUninit::<T>::zeroed();
        // SAFETY: as above; any bytes may be there before.
        unsafe {
            std::ptr::copy_nonoverlapping(memory.as_ptr(), aligned.as_mut_ptr().cast(), memory.len());
            let status = function(aligned.as_mut_ptr(), memory.len());
            std::ptr::copy_nonoverlapping(aligned.as_ptr().cast(), memory.as_mut_ptr(), memory.len());
            status
        }
    };
    (name, bytes, Box::new(call))
}

include!("table.rs");

#[test]
fn structs_are_where_the_c_compiler_puts_them() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/vectors/layout.txt");
    let by_c = std::fs::read_to_string(path).expect(path);
    assert_eq!(layout(), by_c.lines().collect::<Vec<_>>());
}

#[test]
fn structs_have_no_padding() {
    let mut sizes: Vec<(String, usize, usize)> = Vec::new(); // name, size, sum of its fields
    for line in layout() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0].split_once('.') {
            None => sizes.push((words[0].to_string(), words[1].parse().unwrap(), 0)),
            Some(_) => sizes.last_mut().unwrap().2 += words[2].parse::<usize>().unwrap(),
        }
    }
    assert!(sizes.len() > 15);
    for (name, size, sum) in sizes {
        assert_eq!(size, sum, "{name}");
    }
}

#[test]
fn init_constants_are_the_librarys() {
    let all = inits();
    assert!(all.len() > 10);
    for (name, constant, fill) in all {
        let mut memory = vec![0xabu8; constant.len()];
        assert_eq!(fill(&mut memory), VMX_OK, "{name}");
        assert_eq!(memory, constant, "{name}");
    }
}

#[test]
fn the_library_is_of_the_headers_version() {
    // SAFETY: no arguments.
    assert_eq!(unsafe { vmx_version() }, VMX_VERSION);
    let crate_version = format!("{VMX_VERSION_MAJOR}.{VMX_VERSION_MINOR}.{VMX_VERSION_PATCH}");
    assert_eq!(crate_version, env!("CARGO_PKG_VERSION"));
}
