//! A client, a server and a shell that do anything: what a session sends stays well-formed, bounded
//! and private, and the session ends when it is told to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pubshim_fuzz::world::{self, Setup, Step};

fuzz_target!(|input: (Setup, Vec<Step>)| {
    let (setup, steps) = input;
    world::run(&setup, &steps);
});
